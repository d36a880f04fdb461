"""The configuration of models: one section a kind, with their defaults."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from recsparse.data_config import Section


class PopularityConfig(Section):
    """Popularity: every user gets the items with the largest total weight.

    Attributes:
        recent_days: Count only the rows of so many days before the last one; None counts all.
    """

    kind: Literal["popularity"] = "popularity"
    recent_days: float | None = Field(default=None, gt=0)


class ItemKNNConfig(Section):
    """ItemKNN: asymmetric cosine with shrinkage, the nearest neighbours of each item.

    Attributes:
        neighbours: Neighbours kept for each item.
        shrinkage: Added to the cosine's denominator; damps items with few rows.
        asymmetry: Power of the squared norm of the item that is scored; the other's gets the rest
            to 1. A half is the plain cosine, less favours popular items.
        user_exponent: Users with many items count less, by this power of their number.
    """

    kind: Literal["item_knn"] = "item_knn"
    neighbours: int = Field(default=100, ge=1)
    shrinkage: float = Field(default=1.0, ge=0)
    asymmetry: float = Field(default=0.3, ge=0, le=1)
    user_exponent: float = Field(default=0.25, ge=0, le=1)


class ContentKNNConfig(Section):
    """ContentKNN: items whose words are those of the user's history.

    Attributes:
        word_exponent: Power of a word's weight in a bag; below 1, repeated words count less.
    """

    kind: Literal["content_knn"] = "content_knn"
    word_exponent: float = Field(default=1.0, gt=0, le=2)


class EASEConfig(Section):
    """EASE (Steck 2019), with a regularisation that grows with popularity.

    Attributes:
        regularisation: Mean of the diagonal that is added to the item-item Gram matrix.
        popularity_exponent: The diagonal of item i is scaled by (n_i / mean n) to this power.
        recency_decay: Where users are scored, an event counts by this factor less for each later
            one of the user; below 1 the model needs times.
        recency_floor: What an old event keeps of its weight all the same.
        most_items: More items are refused, since memory grows with their square.
    """

    kind: Literal["ease"] = "ease"
    regularisation: float = Field(default=200.0, gt=0)
    popularity_exponent: float = Field(default=0.5, ge=0, le=1)
    recency_decay: float = Field(default=1.0, gt=0, le=1)
    recency_floor: float = Field(default=0.0, ge=0, lt=1)
    most_items: int = Field(default=30_000, ge=1)


class IALSConfig(Section):
    """iALS (Hu et al. 2008) with the regularisation of Rendle et al. 2021.

    Attributes:
        factors: Length of the user and item vectors.
        unobserved_weight: Weight of an empty cell; an observed one adds its own weight.
        regularisation: Scale of the ridge term.
        frequency_exponent: Power of the frequency by which the ridge term grows.
        iterations: Sweeps over all users and all items.
    """

    kind: Literal["ials"] = "ials"
    factors: int = Field(default=64, ge=1)
    unobserved_weight: float = Field(default=0.3, gt=0)
    regularisation: float = Field(default=0.005, gt=0)
    frequency_exponent: float = Field(default=1.0, ge=0, le=1)
    iterations: int = Field(default=15, ge=1)


class TextRidgeConfig(Section):
    """TextRidge: a ridge regression from an item's words to its iALS factors.

    Attributes:
        ridge: The regularisation of the regression.
        ials: The factors.
    """

    kind: Literal["text_ridge"] = "text_ridge"
    ridge: float = Field(default=1.0, gt=0)
    ials: IALSConfig = IALSConfig()


class GFCFConfig(Section):
    """GF-CF (Shen et al. 2021): a linear graph filter and an ideal low-pass filter.

    Attributes:
        rank: Singular vectors that the low-pass filter lets pass.
        low_pass_weight: What it counts beside the linear filter.
    """

    kind: Literal["gf_cf"] = "gf_cf"
    rank: int = Field(default=256, ge=1)
    low_pass_weight: float = Field(default=0.3, ge=0)


class TrainingConfig(Section):
    """The gradient training of a neural model.

    Attributes:
        epochs: Upper bound of passes over the users.
        batch_users: Users a step.
        learning_rate: AdamW's peak rate; it falls to zero along a cosine.
        weight_decay: AdamW's decoupled weight decay.
        patience: Epochs without a better validation nDCG after which training stops.
        k: Length of the list for the validation nDCG.
        device: `auto`, `cpu`, `cuda` or `mps`.
    """

    epochs: int = Field(default=30, ge=1)
    batch_users: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    patience: int = Field(default=5, ge=1)
    k: int = Field(default=10, ge=1)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class MultVAEConfig(Section):
    """MultVAE (Liang et al. 2018): a variational autoencoder of rows.

    Attributes:
        hidden: Width of the hidden layers.
        latent: Dimensions of the distribution that a row is encoded into.
        dropout: Share of a row's cells that are dropped.
        kl_weight: Weight of the divergence from the prior; 0 makes it MultDAE.
        annealing_steps: Training steps over which that weight grows from nothing.
        training: How the network is trained; None for the section `training`.
    """

    kind: Literal["mult_vae"] = "mult_vae"
    hidden: int = Field(default=600, ge=1)
    latent: int = Field(default=200, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    kl_weight: float = Field(default=0.2, ge=0)
    annealing_steps: int = Field(default=2_000, ge=1)
    training: TrainingConfig | None = None


class SparseGridConfig(Section):
    """SparseGridRecommender: ridge pooling of a row's cells, a residual network, a linear term.

    Attributes:
        factors: Channels of an item vector.
        hidden: Width of the residual network.
        unobserved_weight: Start of the learned weight of an empty cell in the ridge pooling.
        regularisation: Start of the learned ridge term.
        item_iterations: iALS sweeps that give the item vectors.
        axis_blocks: `AxisConv2d` residual blocks on the cells before the pooling.
        use_text: Add a bag-of-words encoding of the item text to the item vectors.
        cell_dropout: Share of a row's cells that are hidden and have to be predicted.
        dropout: Dropout inside the residual network.
        linear: The linear term; its weight is chosen on validation after training. None for none.
        training: How the network is trained; None for the section `training`.
    """

    kind: Literal["sparse_grid"] = "sparse_grid"
    factors: int = Field(default=64, ge=1)
    hidden: int = Field(default=512, ge=1)
    unobserved_weight: float = Field(default=0.3, gt=0)
    regularisation: float = Field(default=0.005, gt=0)
    item_iterations: int = Field(default=8, ge=1)
    axis_blocks: int = Field(default=0, ge=0)
    use_text: bool = False
    cell_dropout: float = Field(default=0.5, gt=0, lt=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    linear: EASEConfig | None = EASEConfig()
    training: TrainingConfig | None = None


class TextTowerConfig(Section):
    """TextTower: learned word vectors, and the cosine of the words themselves beside them.

    Attributes:
        channels: Channels of a word vector.
        word_exponent: Power of a word's weight in a bag; below 1, repeated words count less.
        dropout: Dropout of a user's vector.
        cell_dropout: Share of a row's cells that are hidden and have to be predicted.
        cosine_weight: What the cosine of the words counts beside the network.
        training: How the network is trained.
    """

    kind: Literal["text_tower"] = "text_tower"
    channels: int = Field(default=256, ge=1)
    word_exponent: float = Field(default=0.5, gt=0, le=2)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    cell_dropout: float = Field(default=0.5, gt=0, lt=1)
    cosine_weight: float = Field(default=10.0, ge=0)
    training: TrainingConfig | None = TrainingConfig(epochs=10, learning_rate=1e-2)


class EventConfig(Section):
    """Models that read a user's events in the order of time.

    Attributes:
        channels: Channels of an event.
        dropout: Dropout of the input and inside the blocks.
        most_events: Events of a user that are used, the last ones.
        full_softmax_items: Up to so many items the softmax is over all of them.
        negatives: Items that are drawn for each batch where there are more.
        negatives_exponent: They are drawn by their number of rows to this power.
        training: How the network is trained; None for the section `training`.
    """

    channels: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    most_events: int = Field(default=200, ge=1)
    full_softmax_items: int = Field(default=50_000, ge=1)
    negatives: int = Field(default=2_048, ge=1)
    negatives_exponent: float = Field(default=0.75, ge=0, le=1)
    training: TrainingConfig | None = None


class TimelineConfig(EventConfig):
    """TimelineRecommender: causal convolutions along a user's events, the next one predicted.

    Attributes:
        blocks: Residual blocks, each a gated causal convolution and a feed-forward layer.
        kernel_size: Events that a convolution sees, itself included.
        dilation_base: The distance between taps grows by this factor from block to block.
    """

    kind: Literal["timeline"] = "timeline"
    blocks: int = Field(default=4, ge=1)
    kernel_size: int = Field(default=3, ge=1)
    dilation_base: int = Field(default=2, ge=1)


class SASRecConfig(EventConfig):
    """SASRec (Kang and McAuley 2018): self-attention along a user's events.

    Attributes:
        blocks: Residual blocks, each an attention and a feed-forward layer.
        heads: Heads of the attention; the channels are a multiple of it.
    """

    kind: Literal["sasrec"] = "sasrec"
    blocks: int = Field(default=2, ge=1)
    heads: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _channels_fit_the_heads(self) -> "SASRecConfig":
        if self.channels % self.heads:
            raise ValueError(
                f"channels must be a multiple of heads, but are {self.channels} with {self.heads}"
            )
        return self


_Part = (
    PopularityConfig
    | ItemKNNConfig
    | ContentKNNConfig
    | EASEConfig
    | IALSConfig
    | GFCFConfig
    | MultVAEConfig
    | SparseGridConfig
    | TextRidgeConfig
    | TextTowerConfig
    | TimelineConfig
    | SASRecConfig
)
PartConfig = Annotated[_Part, Field(discriminator="kind")]


class BlendConfig(Section):
    """BlendRecommender: the weighted sum of several models' scores.

    Attributes:
        parts: The models; None for those of `default_parts`. Parts of no use get no weight.
    """

    kind: Literal["blend"] = "blend"
    parts: Annotated[tuple[PartConfig, ...], Field(min_length=1)] | None = None


def default_parts(has_times: bool, num_items: int) -> tuple[PartConfig, ...]:
    """Return the models that are blended where nobody names others.

    Args:
        has_times: Whether the time of each interaction is known.
        num_items: Number of items; EASE is left out where there are too many.

    Returns:
        The parts, those of time among them where they can be.
    """
    grid = SparseGridConfig(linear=None, cell_dropout=0.3, regularisation=0.01)
    parts: tuple[PartConfig, ...] = (grid, IALSConfig())
    is_small = num_items <= EASEConfig().most_items
    linear = EASEConfig(regularisation=400.0)
    if is_small:
        parts = (*parts, linear)
    if has_times:
        parts = (*parts, TimelineConfig())
    if has_times and is_small:
        parts = (*parts, linear.model_copy(update={"recency_decay": 0.8}))
    return parts


MODEL_CONFIGS: tuple[type[Section], ...] = (
    PopularityConfig,
    ItemKNNConfig,
    ContentKNNConfig,
    EASEConfig,
    IALSConfig,
    GFCFConfig,
    MultVAEConfig,
    SparseGridConfig,
    TextRidgeConfig,
    TextTowerConfig,
    TimelineConfig,
    SASRecConfig,
    BlendConfig,
)

ModelConfig = Annotated[_Part | BlendConfig, Field(discriminator="kind")]
