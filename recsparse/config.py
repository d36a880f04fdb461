"""The configuration: everything that can be set, as pydantic models with their defaults."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

# What to do with ids that a model has never seen: refuse them, leave their scores empty, or fall
# back on popularity.
OnUnknown = Literal["error", "null", "popularity"]


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LogConfig(Section):
    """Which columns of the log mean what, and what to do with doubtful rows.

    Attributes:
        user_column: Name of the user id column (integers or strings).
        item_column: Name of the item id column (integers or strings).
        timestamp_column: Name of the optional time column (Arrow timestamp, or seconds UTC).
        weight_column: Name of the optional weight column; without it every row weighs 1.
        rating_column: Name of the optional rating column.
        min_rating: Rows with a lower rating are left out, and counted.
        duplicates: Of rows with the same user and item: keep the last, sum weights, or keep all.
        strict: Refuse a log with bad rows, where otherwise they are set aside and counted.
    """

    user_column: str = "user_id"
    item_column: str = "item_id"
    timestamp_column: str = "timestamp"
    weight_column: str = "weight"
    rating_column: str = "rating"
    min_rating: float | None = None
    duplicates: Literal["last", "sum", "keep"] = "last"
    strict: bool = False


class SplitConfig(Section):
    """How rows are parted into training, validation and test.

    Attributes:
        kind: `random` rows of each user, `leave_last_out` by time, `global_time`, or
            `held_out_users` (Liang et al. 2018).
        validation: Share of rows (of users, for held-out users) for validation.
        test: Share of rows (of users, for held-out users) for the test.
        fold_in: Share of a held-out user's rows that the model may see.
        min_rows: Users with fewer rows stay in training as a whole, and are counted.
    """

    kind: Literal["random", "leave_last_out", "global_time", "held_out_users"] = "random"
    validation: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.1, gt=0, lt=1)
    fold_in: float = Field(default=0.8, gt=0, lt=1)
    min_rows: int = Field(default=3, ge=3)

    @model_validator(mode="after")
    def _leave_rows_to_train_on(self) -> "SplitConfig":
        if self.validation + self.test >= 1:
            raise ValueError(
                "validation and test must leave something to train on, but take "
                f"{self.validation} + {self.test} of everything"
            )
        return self


class TextConfig(Section):
    """How item text becomes a bag of words.

    Attributes:
        columns: Text columns of the items table; none named means every string column.
        weighting: `tfidf` or plain `counts`.
        max_words: Upper bound of the word vocabulary.
        min_documents: A word must occur in so many training items.
    """

    columns: tuple[str, ...] = ()
    weighting: Literal["tfidf", "counts"] = "tfidf"
    max_words: int = Field(default=20_000, ge=1)
    min_documents: int = Field(default=1, ge=1)


class OrderConfig(Section):
    """Which users and which items become neighbours on the grid.

    Attributes:
        kind: `popularity`, `spectral` (Fiedler vector), `time` of first event, or `random`.
    """

    kind: Literal["popularity", "spectral", "time", "random"] = "popularity"


class PopularityConfig(Section):
    """Popularity: every user gets the items with the largest total weight."""

    kind: Literal["popularity"] = "popularity"


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


class EASEConfig(Section):
    """EASE (Steck 2019), with a regularisation that grows with popularity.

    Attributes:
        regularisation: Mean of the diagonal that is added to the item-item Gram matrix.
        popularity_exponent: The diagonal of item i is scaled by (n_i / mean n) to this power.
    """

    kind: Literal["ease"] = "ease"
    regularisation: float = Field(default=200.0, gt=0)
    popularity_exponent: float = Field(default=0.5, ge=0, le=1)


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
        linear: The linear term; its weight is chosen on validation after training.
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
    linear: EASEConfig = EASEConfig()


MODEL_CONFIGS: tuple[type[Section], ...] = (
    PopularityConfig,
    ItemKNNConfig,
    EASEConfig,
    IALSConfig,
    SparseGridConfig,
)

ModelConfig = Annotated[
    PopularityConfig | ItemKNNConfig | EASEConfig | IALSConfig | SparseGridConfig,
    Field(discriminator="kind"),
]


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


class EvaluationConfig(Section):
    """What evaluation reports.

    Attributes:
        k: List lengths.
        batch_users: Users scored at a time.
    """

    k: tuple[Annotated[int, Field(ge=1)], ...] = (10, 20)
    batch_users: int = Field(default=1024, ge=1)


class TrackingConfig(Section):
    """Where runs are recorded.

    Attributes:
        uri: MLflow tracking address; without one, `MLFLOW_TRACKING_URI`, else `mlflow.db`
            beside the model folder.
        experiment: Name of the MLflow experiment.
        register_as: Register the model under this name.
    """

    uri: str | None = None
    experiment: str = "recsparse"
    register_as: str | None = None


class Config(Section):
    """Everything that can be set, with its default."""

    seed: int = 0
    log: LogConfig = LogConfig()
    split: SplitConfig = SplitConfig()
    text: TextConfig = TextConfig()
    order: OrderConfig = OrderConfig()
    model: ModelConfig = SparseGridConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    tracking: TrackingConfig = TrackingConfig()
