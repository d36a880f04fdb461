"""The configuration of models: any kind, and those that are blended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema

# The sections of our own models become known as these are imported.
from recsparse.config import (  # noqa: F401
    event_models,
    linear_models,
    network_models,
    rating_models,
)
from recsparse.config.feature_section import FeatureSection, UserFeatureSection
from recsparse.config.model_section import ModelSection, known_sections
from recsparse.config.units import Number, Unit

BLEND = "blend"


@dataclass(frozen=True)
class AnyKind:
    """Marks a setting that is the section of a model, of any kind known when a schema is built.

    Attributes:
        without: Kinds that cannot stand there.
    """

    without: tuple[str, ...] = ()

    def sections(self) -> Mapping[str, type[ModelSection]]:
        """Return the sections that can stand there, by their kinds."""
        known = known_sections()
        return {kind: known[kind] for kind in known if kind not in self.without}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of a union of all kinds, of which the key `kind` chooses one."""
        union: Any = Union[tuple(self.sections().values())]  # noqa: UP007
        return handler.generate_schema(Annotated[union, Field(discriminator="kind")])


PartConfig = Annotated[ModelSection, AnyKind(without=(BLEND,))]


class BlendConfig(FeatureSection, UserFeatureSection):
    """BlendRecommender: the weighted sum of several models' scores.

    Attributes:
        features: Which features of the items the parts may read, each those that it names.
        user_features: Which features of the users the parts may read, likewise.
        parts: The models; None for those of `default_parts`. Parts of no use get no weight.
        weights: What each part counts; None for the best on validation.
        new_weights: What each part counts on items without a history, of those that can rank them
            by their features; None for the best on validation.
        prior_rows: Where features of users are known, a ridge regression from these takes part as
            the user has few rows: its share for a user of n rows is the square of
            `prior_rows / (prior_rows + n)`, so all of it without rows. 0 for none; None for the
            best on validation, as for the weights.
    """

    kind: Literal["blend"] = "blend"
    implementation: ClassVar[str] = "recsparse.models.blend.blend:BlendRecommender"
    parts: Annotated[tuple[PartConfig, ...], Field(min_length=1)] | None = None
    weights: tuple[Annotated[Number, Field(ge=0)], ...] | None = None
    new_weights: tuple[Annotated[Number, Field(ge=0)], ...] | None = None
    prior_rows: Annotated[float, Unit("rows")] | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_weight_a_part(self) -> "BlendConfig":
        if self.weights is not None:
            parts = self.parts or ()
            if len(parts) != len(self.weights) or not any(self.weights):
                raise ValueError(
                    "weights must be one for each of the parts named, not all of them 0, but are "
                    f"{self.weights} for {len(parts)} parts"
                )
        if self.new_weights is not None and len(self.parts or ()) != len(self.new_weights):
            raise ValueError(
                "new_weights must be one for each of the parts named, but are "
                f"{self.new_weights} for {len(self.parts or ())} parts"
            )
        return self


ModelConfig = Annotated[ModelSection, AnyKind()]
