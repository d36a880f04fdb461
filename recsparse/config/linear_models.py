"""The configuration of counting and linear models: one section per kind, with their defaults."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from recsparse.config.feature_section import FeatureSection, UserFeatureSection
from recsparse.config.model_section import ModelSection
from recsparse.config.search_space import Range, SearchSpace
from recsparse.config.units import Days, Dimensions, Events, Items, Number, Share, Sweeps, Unit


class PopularityConfig(ModelSection):
    """Popularity: every user gets the items with the largest total weight.

    Attributes:
        recent_days: Count only the rows of this many days before the last one; None counts all.
    """

    kind: Literal["popularity"] = "popularity"
    implementation: ClassVar[str] = "recsparse.models.linear.popularity:Popularity"
    search_ranges: ClassVar[SearchSpace] = {"recent_days": ("none", 30.0, 90.0, 365.0)}
    recent_days: Days | None = Field(default=None, gt=0)


class ItemKNNConfig(ModelSection):
    """ItemKNN: asymmetric cosine with shrinkage, the nearest neighbours of each item.

    Attributes:
        neighbours: Neighbours kept for each item.
        shrinkage: Added to the cosine's denominator; damps items with few rows.
        asymmetry: Power of the squared norm of the item that is scored; the other's gets the rest
            to 1. A half is the plain cosine, less favours popular items.
        user_exponent: Users with many items count less, by this power of their number.
    """

    kind: Literal["item_knn"] = "item_knn"
    implementation: ClassVar[str] = "recsparse.models.linear.item_knn:ItemKNN"
    search_space: ClassVar[SearchSpace] = {
        "neighbours": (20, 50, 100, 200),
        "shrinkage": (0.0, 1.0),
        "asymmetry": (0.1, 0.2, 0.3, 0.5),
        "user_exponent": (0.0, 0.25),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "neighbours": Range(10, 500, log=True),
        "shrinkage": Range(0.0, 50.0),
        "asymmetry": Range(0.0, 0.6),
        "user_exponent": Range(0.0, 0.75),
    }
    neighbours: Items = Field(default=100, ge=1)
    shrinkage: Number = Field(default=1.0, ge=0)
    asymmetry: Number = Field(default=0.3, ge=0, le=1)
    user_exponent: Number = Field(default=0.25, ge=0, le=1)


class ContentKNNConfig(FeatureSection):
    """ContentKNN: items whose words are those of the user's history.

    Attributes:
        word_exponent: Power of a word's weight in a bag; below 1, repeated words count less.
    """

    kind: Literal["content_knn"] = "content_knn"
    implementation: ClassVar[str] = "recsparse.models.content.content_knn:ContentKNN"
    search_space: ClassVar[SearchSpace] = {"word_exponent": (0.5, 1.0)}
    search_ranges: ClassVar[SearchSpace] = {"word_exponent": Range(0.1, 1.5)}
    word_exponent: Number = Field(default=1.0, gt=0, le=2)


class EASEConfig(ModelSection):
    """EASE (Steck 2019), with a regularisation that grows with popularity.

    Attributes:
        regularisation: Mean of the diagonal that is added to the item-item Gram matrix.
        popularity_exponent: The diagonal of item i is scaled by (n_i / mean n) to this power.
        window_events: Items are related by how often they stand in a window of this many events of
            a user, in the order of time, instead of in one row; the model then needs times.
        recency_decay: Where users are scored, an event counts by this factor less for each later
            one of the user; below 1 the model needs times.
        recency_floor: What an old event keeps of its weight all the same.
        most_items: More items are refused, since memory grows with their square.
    """

    kind: Literal["ease"] = "ease"
    implementation: ClassVar[str] = "recsparse.models.linear.ease:EASE"
    search_space: ClassVar[SearchSpace] = {
        "regularisation": (50.0, 100.0, 200.0, 300.0, 500.0, 1000.0),
        "popularity_exponent": (0.0, 0.5, 1.0),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "regularisation": Range(10.0, 3000.0, log=True),
        "popularity_exponent": Range(0.0, 1.0),
    }
    regularisation: Number = Field(default=200.0, gt=0)
    popularity_exponent: Number = Field(default=0.5, ge=0, le=1)
    window_events: Events | None = Field(default=None, ge=2)
    recency_decay: Share = Field(default=1.0, gt=0, le=1)
    recency_floor: Share = Field(default=0.0, ge=0, lt=1)
    most_items: Items = Field(default=30_000, ge=1)


class SparseEASEConfig(ModelSection):
    """SparseEASE: EASE on each item's nearest items.

    Attributes:
        neighbours: Items that may count for an item.
        regularisation: Mean of the diagonal that is added to the item-item Gram matrix.
        popularity_exponent: The diagonal of item i is scaled by (n_i / mean n) to this power.
        recency_decay: Where users are scored, an event counts by this factor less for each later
            one of the user; below 1 the model needs times.
        recency_floor: What an old event keeps of its weight all the same.
        most_pairs: Logs with more pairs of items in one row are refused, since memory grows with
            them.
    """

    kind: Literal["sparse_ease"] = "sparse_ease"
    implementation: ClassVar[str] = "recsparse.models.linear.sparse_ease:SparseEASE"
    search_space: ClassVar[SearchSpace] = {
        "neighbours": (50, 200),
        "regularisation": (30.0, 100.0, 300.0),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "neighbours": Range(20, 400, log=True),
        "regularisation": Range(5.0, 1000.0, log=True),
        "popularity_exponent": Range(0.0, 1.0),
    }
    neighbours: Items = Field(default=100, ge=1)
    regularisation: Number = Field(default=100.0, gt=0)
    popularity_exponent: Number = Field(default=0.5, ge=0, le=1)
    recency_decay: Share = Field(default=1.0, gt=0, le=1)
    recency_floor: Share = Field(default=0.0, ge=0, lt=1)
    most_pairs: Annotated[int, Unit("pairs")] = Field(default=500_000_000, ge=1)


class NextItemRidgeConfig(ModelSection):
    """NextItemRidge: least squares from what is left of a user's events to the next one.

    Attributes:
        decays: Factors by which an event fades with each later one, side by side.
        regularisation: Mean of the diagonal that is added to the Gram matrix of the features, in
            events of an item.
        popularity_exponent: The diagonal of item i is scaled by (n_i / mean n) to this power.
        popularity_discount: Scores are divided by an item's rows to this power.
        most_items: More items are refused, since memory grows with the square of items × decays.
    """

    kind: Literal["next_item_ridge"] = "next_item_ridge"
    implementation: ClassVar[str] = "recsparse.models.linear.next_item_ridge:NextItemRidge"
    search_space: ClassVar[SearchSpace] = {
        "regularisation": (100.0, 300.0, 1000.0),
        "popularity_discount": (0.0, 0.2, 0.4),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "regularisation": Range(30.0, 5000.0, log=True),
        "popularity_exponent": Range(0.0, 1.0),
        "popularity_discount": Range(0.0, 0.6),
    }
    decays: tuple[Share, ...] = (0.5, 0.9)
    regularisation: Number = Field(default=750.0, gt=0)
    popularity_exponent: Number = Field(default=0.5, ge=0, le=1)
    popularity_discount: Number = Field(default=0.2, ge=0, le=1)
    most_items: Items = Field(default=10_000, ge=1)

    @field_validator("decays")
    @classmethod
    def _events_fade(cls, decays: tuple[float, ...]) -> tuple[float, ...]:
        if not decays or not all(0 < decay < 1 for decay in decays):
            raise ValueError("decays must be one or more factors between 0 and 1")
        return decays


class IALSConfig(ModelSection):
    """iALS (Hu et al. 2008) with the regularisation of Rendle et al. 2021.

    Attributes:
        factors: Length of the user and item vectors.
        unobserved_weight: Weight of an empty cell, to which an observed one adds its own; None for
            ten times the share of active cells, which suits small and large catalogues alike.
        regularisation: Scale of the ridge term.
        frequency_exponent: Power of the frequency by which the ridge term grows.
        iterations: Sweeps over all users and all items.
        store_vectors: Keep the vectors of all known users in the model folder, 4 bytes a number, so
            that no job needs to make them again.
    """

    kind: Literal["ials"] = "ials"
    implementation: ClassVar[str] = "recsparse.models.linear.ials:IALS"
    search_space: ClassVar[SearchSpace] = {
        "factors": (16, 32, 64),
        "unobserved_weight": (0.1, 0.3, 1.0),
        "regularisation": (0.003, 0.01, 0.03),
    }
    search_ranges: ClassVar[SearchSpace] = {
        "factors": Range(8, 128, log=True),
        "unobserved_weight": Range(0.03, 3.0, log=True),
        "regularisation": Range(5e-4, 0.1, log=True),
        "frequency_exponent": Range(0.0, 1.0),
    }
    factors: Dimensions = Field(default=64, ge=1)
    unobserved_weight: Number | None = Field(default=None, gt=0)
    regularisation: Number = Field(default=0.005, gt=0)
    frequency_exponent: Number = Field(default=1.0, ge=0, le=1)
    iterations: Sweeps = Field(default=15, ge=1)
    store_vectors: bool = True


class TextRidgeConfig(FeatureSection):
    """TextRidge: a ridge regression from an item's words to its iALS factors.

    Attributes:
        ridge: The regularisation of the regression.
        ials: The factors.
    """

    kind: Literal["text_ridge"] = "text_ridge"
    implementation: ClassVar[str] = "recsparse.models.content.text_ridge:TextRidge"
    search_space: ClassVar[SearchSpace] = {"ridge": (0.3, 1.0, 3.0, 10.0)}
    search_ranges: ClassVar[SearchSpace] = {"ridge": Range(0.1, 100.0, log=True)}
    ridge: Number = Field(default=1.0, gt=0)
    ials: IALSConfig = IALSConfig()


class GFCFConfig(ModelSection):
    """GF-CF (Shen et al. 2021): a linear graph filter and an ideal low-pass filter.

    Attributes:
        rank: Singular vectors that the low-pass filter lets pass.
        low_pass_weight: Weight of the low-pass filter; that of the linear filter is 1.
        item_exponent: Power of an item's number of rows that it is divided by in the linear filter;
            a half is the published one, less lets popular items count more.
        sharpening: Part of the filtered scores' own filtering that is taken away again, a step of
            the sharpening of Choi et al. 2023 (BSPM); it takes as long again to score.
    """

    kind: Literal["gf_cf"] = "gf_cf"
    implementation: ClassVar[str] = "recsparse.models.linear.gf_cf:GFCF"
    search_space: ClassVar[SearchSpace] = {"rank": (64, 256), "low_pass_weight": (0.1, 0.3, 0.6)}
    search_ranges: ClassVar[SearchSpace] = {
        "rank": Range(16, 512, log=True),
        "low_pass_weight": Range(0.0, 2.0),
        "item_exponent": Range(0.0, 1.0),
        "sharpening": Range(0.0, 1.0),
    }
    rank: Dimensions = Field(default=256, ge=1)
    low_pass_weight: Number = Field(default=0.3, ge=0)
    item_exponent: Number = Field(default=0.5, ge=0, le=1)
    sharpening: Share = Field(default=0.0, ge=0, le=1)


class UserRidgeConfig(UserFeatureSection):
    """UserRidge: a ridge regression from a user's features to the user's row, whatever is in it.

    Attributes:
        ridge: The ridge term, users of the mean that each feature is shrunk by.
        rank: Of more columns than this, their first singular vectors stand in for them.
    """

    kind: Literal["user_ridge"] = "user_ridge"
    implementation: ClassVar[str] = "recsparse.models.content.user_ridge:UserRidge"
    search_space: ClassVar[SearchSpace] = {"ridge": (10.0, 30.0, 100.0, 300.0)}
    search_ranges: ClassVar[SearchSpace] = {"ridge": Range(1.0, 1000.0, log=True)}
    ridge: Annotated[float, Unit("users")] = Field(default=30.0, gt=0)
    rank: Dimensions = Field(default=256, ge=1)
