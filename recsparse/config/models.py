"""The configuration of models: every kind, and those that are blended by default."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from recsparse.config.linear_models import (
    ContentKNNConfig,
    EASEConfig,
    GFCFConfig,
    IALSConfig,
    ItemKNNConfig,
    NextItemRidgeConfig,
    PopularityConfig,
    RatingBayesConfig,
    RatingBiasConfig,
    RatingFactorsConfig,
    SparseEASEConfig,
    TextRidgeConfig,
)
from recsparse.config.network_models import (
    BPRConfig,
    LightGCNConfig,
    MultVAEConfig,
    RatingGridConfig,
    SASRecConfig,
    SparseGridConfig,
    TextTowerConfig,
    TimelineConfig,
)
from recsparse.config.section import Section

_Part = (
    PopularityConfig
    | ItemKNNConfig
    | ContentKNNConfig
    | EASEConfig
    | SparseEASEConfig
    | NextItemRidgeConfig
    | IALSConfig
    | GFCFConfig
    | MultVAEConfig
    | LightGCNConfig
    | BPRConfig
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
        weights: What each part counts; None for the best on validation.
    """

    kind: Literal["blend"] = "blend"
    parts: Annotated[tuple[PartConfig, ...], Field(min_length=1)] | None = None
    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None

    @model_validator(mode="after")
    def _one_weight_a_part(self) -> "BlendConfig":
        if self.weights is not None:
            parts = self.parts or ()
            if len(parts) != len(self.weights) or not any(self.weights):
                raise ValueError(
                    "weights must be one for each of the parts named, not all of them 0, but are "
                    f"{self.weights} for {len(parts)} parts"
                )
        return self


MODEL_CONFIGS: tuple[type[Section], ...] = (
    PopularityConfig,
    ItemKNNConfig,
    ContentKNNConfig,
    EASEConfig,
    SparseEASEConfig,
    NextItemRidgeConfig,
    IALSConfig,
    GFCFConfig,
    MultVAEConfig,
    LightGCNConfig,
    BPRConfig,
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
