"""The configuration of models: every kind, and those that are blended by default."""

from typing import Annotated, Literal

from pydantic import Field

from recsparse.data_config import Section
from recsparse.linear_config import (
    ContentKNNConfig,
    EASEConfig,
    GFCFConfig,
    IALSConfig,
    ItemKNNConfig,
    PopularityConfig,
    RatingBayesConfig,
    RatingBiasConfig,
    RatingFactorsConfig,
    TextRidgeConfig,
)
from recsparse.network_config import (
    MultVAEConfig,
    RatingGridConfig,
    SASRecConfig,
    SparseGridConfig,
    TextTowerConfig,
    TimelineConfig,
)

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
    | RatingBiasConfig
    | RatingFactorsConfig
    | RatingBayesConfig
    | RatingGridConfig
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
    RatingBiasConfig,
    RatingFactorsConfig,
    RatingBayesConfig,
    RatingGridConfig,
    BlendConfig,
)

ModelConfig = Annotated[_Part | BlendConfig, Field(discriminator="kind")]
