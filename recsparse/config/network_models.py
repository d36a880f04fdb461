"""The configuration of networks of rows: one section per kind, with their defaults."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from recsparse.config.feature_section import (
    FeatureNames,
    FeatureSection,
    OnceOfText,
)
from recsparse.config.linear_models import EASEConfig
from recsparse.config.loss_names import PairwiseLoss, SoftmaxLoss
from recsparse.config.model_section import ModelSection
from recsparse.config.search_space import Range, SearchSpace
from recsparse.config.training import TrainingConfig
from recsparse.config.units import (
    Blocks,
    Dimensions,
    Items,
    Number,
    Share,
    Sweeps,
    Unit,
)


class SoftmaxConfig(ModelSection):
    """Models that are trained by a softmax over the items, all of them or drawn ones.

    Attributes:
        loss: `softmax`, or `module:function` of your own, of the same scores.
        full_softmax_items: Up to this many items the loss is over all of them.
        negatives: Items that are drawn for each batch where there are more.
        negatives_exponent: They are drawn by their number of rows to this power.
    """

    loss: SoftmaxLoss = "softmax"
    full_softmax_items: Items = Field(default=50_000, ge=1)
    negatives: Items = Field(default=2_048, ge=1)
    negatives_exponent: Number = Field(default=0.75, ge=0, le=1)


class MultVAEConfig(ModelSection):
    """MultVAE (Liang et al. 2018): a variational autoencoder of rows.

    Attributes:
        hidden: Width of the hidden layers.
        latent: Dimensions of the distribution that a row is encoded into.
        dropout: Share of a row's cells that are dropped.
        kl_weight: Weight of the divergence from the prior; 0 makes it MultDAE.
        annealing_steps: Training steps over which that weight grows from nothing.
        store_vectors: Keep the vectors of all known users in the model folder, 4 bytes a number, so
            that no job needs to make them again.
        training: How the network is trained; None for the section `training`.
    """

    kind: Literal["mult_vae"] = "mult_vae"
    implementation: ClassVar[str] = "recsparse.models.row_networks.mult_vae:MultVAE"
    search_space: ClassVar[SearchSpace] = {"kl_weight": (0.0, 0.1, 0.2), "dropout": (0.5, 0.7)}
    search_ranges: ClassVar[SearchSpace] = {
        "training.learning_rate": Range(2e-4, 1e-2, log=True),
        "kl_weight": Range(0.0, 0.5),
        "dropout": Range(0.2, 0.8),
        "hidden": (300, 600, 1_000),
    }
    hidden: Dimensions = Field(default=600, ge=1)
    latent: Dimensions = Field(default=200, ge=1)
    dropout: Share = Field(default=0.5, ge=0, lt=1)
    kl_weight: Number = Field(default=0.2, ge=0)
    annealing_steps: Annotated[int, Unit("steps")] = Field(default=2_000, ge=1)
    store_vectors: bool = True
    training: TrainingConfig | None = None


class PairwiseConfig(FeatureSection):
    """Vectors of users and items that are trained to rank the items of a row before others.

    Attributes:
        features: Which features of the items are encoded and added to the item vectors.
        channels: Length of a vector.
        loss: `bpr`, pairs with one drawn item each, `softmax` over all items, or `module:function`
            of your own, of the scores of all items.
        regularisation: Weight of the squared length of the vectors of a batch.
        fold_in_unobserved_weight: Weight of an empty cell where a user's vector is solved for; None
            for twice the share of active cells.
        fold_in_regularisation: Ridge term of that.
        store_vectors: Keep the vectors of all known users in the model folder, 4 bytes a number, so
            that no job needs to make them again.
        training: How the vectors are trained; None for the section `training`.
    """

    features: FeatureNames = ()
    channels: Dimensions = Field(default=64, ge=1)
    loss: PairwiseLoss = "bpr"
    regularisation: Number = Field(default=1e-3, ge=0)
    fold_in_unobserved_weight: Number | None = Field(default=None, gt=0)
    fold_in_regularisation: Number = Field(default=0.01, gt=0)
    store_vectors: bool = True
    training: TrainingConfig | None = TrainingConfig(epochs=100, learning_rate=1e-2, patience=10)


class BPRConfig(PairwiseConfig):
    """BPR (Rendle et al. 2009): matrix factorisation that ranks pairs of items."""

    kind: Literal["bpr"] = "bpr"
    implementation: ClassVar[str] = "recsparse.models.row_networks.bpr:BPR"
    search_space: ClassVar[SearchSpace] = {
        "regularisation": (1e-3, 3e-3, 1e-2),
        "fold_in_regularisation": (0.01, 0.03),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "channels": (32, 64, 128),
        "training.learning_rate": Range(1e-3, 5e-2, log=True),
        "regularisation": Range(1e-4, 0.1, log=True),
        "fold_in_regularisation": Range(1e-3, 1.0, log=True),
    }
    regularisation: Number = Field(default=1e-2, ge=0)


class LightGCNConfig(PairwiseConfig):
    """LightGCN (He et al. 2020): vectors smoothed along the edges of the user-item graph.

    Attributes:
        loss: The published one is `bpr`; `softmax` ranks better here. Or `module:function` of your
            own, of the scores of all items.
        fold_in_regularisation: Ridge term of the fold-in.
        layers: Times that vectors are passed along the edges; the result is the mean of all.
    """

    kind: Literal["light_gcn"] = "light_gcn"
    implementation: ClassVar[str] = "recsparse.models.row_networks.light_gcn:LightGCN"
    search_space: ClassVar[SearchSpace] = {
        "layers": (2, 3),
        "fold_in_regularisation": (0.1, 0.3, 1.0),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "layers": Range(1, 4),
        "training.learning_rate": Range(1e-3, 5e-2, log=True),
        "regularisation": Range(1e-5, 1e-2, log=True),
        "fold_in_regularisation": Range(0.01, 3.0, log=True),
    }
    loss: PairwiseLoss = "softmax"
    fold_in_regularisation: Number = Field(default=0.3, gt=0)
    layers: Annotated[int, Unit("layers")] = Field(default=3, ge=0)


class SparseGridConfig(SoftmaxConfig, OnceOfText):
    """SparseGridRecommender: ridge pooling of a row's cells, a residual network, a linear term.

    Attributes:
        factors: Channels of an item vector.
        hidden: Width of the residual network.
        unobserved_weight: Start of the learned weight of an empty cell in the ridge pooling; None
            for ten times the share of active cells.
        regularisation: Start of the learned ridge term.
        item_iterations: iALS sweeps that give the item vectors.
        axis_blocks: `AxisConv2d` residual blocks on the cells before the pooling.
        window_blocks: Likewise, blocks of a window over neighbouring items of a row, in the order
            of the catalogue; measured, and of no use, since that order says little.
        window: Width of that window.
        pooling: How a row's cells become one vector: by a `ridge` regression, as their `mean`, or
            by learned `attention`.
        cell_dropout: Share of a row's cells that are hidden and have to be predicted.
        dropout: Dropout inside the residual network.
        linear: The linear term; None for none.
        linear_weight: Its weight; None for the best on validation, after training.
        store_vectors: Keep the vectors of all known users, where there is no linear
            term, in the model folder, 4 bytes a number, so that no job needs to make them
            again.
        training: How the network is trained; None for the section `training`.
    """

    kind: Literal["sparse_grid"] = "sparse_grid"
    implementation: ClassVar[str] = (
        "recsparse.models.row_networks.sparse_grid:SparseGridRecommender"
    )
    search_space: ClassVar[SearchSpace] = {
        "factors": (16, 32, 64),
        "regularisation": (0.005, 0.01, 0.02, 0.04),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "factors": (16, 32, 64, 128),
        "training.learning_rate": Range(2e-4, 1e-2, log=True),
        "regularisation": Range(1e-3, 0.1, log=True),
        "cell_dropout": Range(0.2, 0.8),
        "dropout": Range(0.0, 0.6),
    }
    factors: Dimensions = Field(default=64, ge=1)
    hidden: Dimensions = Field(default=512, ge=1)
    unobserved_weight: Number | None = Field(default=None, gt=0)
    regularisation: Number = Field(default=0.005, gt=0)
    item_iterations: Sweeps = Field(default=8, ge=1)
    axis_blocks: Blocks = Field(default=0, ge=0)
    window_blocks: Blocks = Field(default=0, ge=0)
    window: Items = Field(default=3, ge=1)
    pooling: Literal["ridge", "mean", "attention"] = "ridge"
    cell_dropout: Share = Field(default=0.5, gt=0, lt=1)
    dropout: Share = Field(default=0.2, ge=0, lt=1)
    linear: EASEConfig | None = EASEConfig()
    linear_weight: Number | None = Field(default=None, ge=0)
    store_vectors: bool = True
    training: TrainingConfig | None = None


class TextTowerConfig(SoftmaxConfig, FeatureSection):
    """TextTower: learned word vectors, added to the cosine of the words themselves.

    Attributes:
        channels: Channels of a word vector.
        word_exponent: Power of a word's weight in a bag; below 1, repeated words count less.
        dropout: Dropout of a user's vector.
        cell_dropout: Share of a row's cells that are hidden and have to be predicted.
        cosine_weight: Weight of the cosine of the words; that of the network is 1.
        training: How the network is trained.
    """

    kind: Literal["text_tower"] = "text_tower"
    implementation: ClassVar[str] = "recsparse.models.content.text_tower:TextTower"
    search_space: ClassVar[SearchSpace] = {
        "cosine_weight": (0.0, 5.0, 10.0, 20.0),
        "dropout": (0.3, 0.5),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "channels": (128, 256, 512),
        "training.learning_rate": Range(1e-3, 5e-2, log=True),
        "cosine_weight": Range(0.0, 30.0),
        "dropout": Range(0.1, 0.7),
        "cell_dropout": Range(0.2, 0.8),
    }
    channels: Dimensions = Field(default=256, ge=1)
    word_exponent: Number = Field(default=0.5, gt=0, le=2)
    dropout: Share = Field(default=0.3, ge=0, lt=1)
    cell_dropout: Share = Field(default=0.5, gt=0, lt=1)
    cosine_weight: Number = Field(default=10.0, ge=0)
    training: TrainingConfig | None = TrainingConfig(epochs=10, learning_rate=1e-2)
