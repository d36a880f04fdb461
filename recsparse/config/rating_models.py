"""The configuration of models of explicit ratings: one section per kind, with their defaults."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from recsparse.config.model_section import ModelSection
from recsparse.config.search_space import Range, SearchSpace
from recsparse.config.training import TrainingConfig
from recsparse.config.units import (
    Blocks,
    Dimensions,
    Number,
    Share,
    Sweeps,
    Unit,
)


class RatingBiasConfig(ModelSection):
    """RatingBias: the mean of the ratings, plus deviations of users and items.

    Attributes:
        user_shrinkage: Ratings of the mean that are added to those of each user.
        item_shrinkage: Ratings of the mean that are added to those of each item.
    """

    kind: Literal["rating_bias"] = "rating_bias"
    implementation: ClassVar[str] = "recsparse.models.ratings.rating_bias:RatingBias"
    search_space: ClassVar[SearchSpace] = {
        "user_shrinkage": (3.0, 5.0, 10.0),
        "item_shrinkage": (3.0, 5.0, 10.0),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "user_shrinkage": Range(0.5, 50.0, log=True),
        "item_shrinkage": Range(0.5, 50.0, log=True),
    }
    user_shrinkage: Annotated[float, Unit("ratings")] = Field(default=5.0, ge=0)
    item_shrinkage: Annotated[float, Unit("ratings")] = Field(default=5.0, ge=0)


class RatingFactorsConfig(ModelSection):
    """RatingFactors: alternating least squares on what the deviations leave of the ratings.

    Attributes:
        factors: Length of the user and item vectors.
        regularisation: The ridge term.
        iterations: Sweeps over all users and all items.
        bias: The deviations.
    """

    kind: Literal["rating_factors"] = "rating_factors"
    implementation: ClassVar[str] = "recsparse.models.ratings.rating_factors:RatingFactors"
    search_space: ClassVar[SearchSpace] = {
        "factors": (8, 16, 32),
        "regularisation": (5.0, 10.0, 15.0, 20.0),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "factors": Range(4, 64, log=True),
        "regularisation": Range(1.0, 50.0, log=True),
    }
    factors: Dimensions = Field(default=16, ge=1)
    regularisation: Number = Field(default=15.0, gt=0)
    iterations: Sweeps = Field(default=20, ge=1)
    bias: RatingBiasConfig = RatingBiasConfig()


class RatingBayesConfig(ModelSection):
    """RatingBayes: Bayesian factors of ratings, the items' around a prediction from who rated them.

    Attributes:
        factors: Length of the user and item vectors.
        noise: Variance of the noise as a share of the variance of the ratings.
        spectral_features: Singular vectors of who rated what, from which the items' vectors are
            predicted.
        feature_precision: Precision of that prediction's weights relative to the vectors' own.
        burn_in: Sweeps of the sampler before the first sample.
        samples: Samples that predictions are the mean of; all are a part of the model.
        thinning: Sweeps from one sample to the next.
    """

    kind: Literal["rating_bayes"] = "rating_bayes"
    implementation: ClassVar[str] = "recsparse.models.ratings.rating_bayes:RatingBayes"
    search_space: ClassVar[SearchSpace] = {
        "noise": (0.4, 0.525, 0.65),
        "spectral_features": (15, 30, 60),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "factors": Range(8, 64, log=True),
        "noise": Range(0.2, 1.0),
        "spectral_features": Range(5, 100, log=True),
    }
    factors: Dimensions = Field(default=32, ge=1)
    noise: Number = Field(default=0.525, gt=0)
    spectral_features: Dimensions = Field(default=30, ge=1)
    feature_precision: Number = Field(default=50.0, gt=0)
    burn_in: Sweeps = Field(default=30, ge=0)
    samples: Annotated[int, Unit("samples")] = Field(default=80, ge=1)
    thinning: Sweeps = Field(default=3, ge=1)


class RatingGridConfig(ModelSection):
    """RatingGrid: a network on the cells of a row of ratings, blended with Bayesian factors.

    Attributes:
        channels: Channels of a cell and of the user and item vectors.
        blocks: `AxisConv2d` residual blocks on the cells.
        hidden: Width of the network from a row's sum to its vector.
        levels: Steps between the lowest and the highest rating that a cell is one-hot over.
        spectral_features: Singular vectors of who rated what, the features of the items.
        cell_dropout: Share of a row's ratings that are hidden and have to be predicted.
        dropout: Dropout of a row's sum and of the hidden layer.
        bias: The deviations of users and items.
        bayes: The model that is blended with the network; None for the network alone.
        network_weight: Weight of the network in that blend where there is no validation.
        training: How the network is trained; None for the section `training`.
    """

    kind: Literal["rating_grid"] = "rating_grid"
    implementation: ClassVar[str] = "recsparse.models.ratings.rating_grid:RatingGrid"
    search_space: ClassVar[SearchSpace] = {"blocks": (0, 1, 2), "cell_dropout": (0.1, 0.2, 0.4)}
    search_ranges: ClassVar[SearchSpace] = {
        "blocks": Range(0, 2),
        "training.learning_rate": Range(5e-4, 1e-2, log=True),
        "cell_dropout": Range(0.05, 0.5),
        "dropout": Range(0.0, 0.5),
    }
    channels: Dimensions = Field(default=64, ge=1)
    blocks: Blocks = Field(default=1, ge=0)
    hidden: Dimensions = Field(default=128, ge=1)
    levels: Annotated[int, Unit("levels")] = Field(default=5, ge=2)
    spectral_features: Dimensions = Field(default=30, ge=1)
    cell_dropout: Share = Field(default=0.2, gt=0, lt=1)
    dropout: Share = Field(default=0.2, ge=0, lt=1)
    bias: RatingBiasConfig = RatingBiasConfig()
    bayes: RatingBayesConfig | None = RatingBayesConfig()
    network_weight: Share = Field(default=0.25, ge=0, le=1)
    training: TrainingConfig | None = TrainingConfig(
        epochs=80, batch_users=64, learning_rate=2e-3, weight_decay=0.1, patience=80
    )
