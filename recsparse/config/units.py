"""Units of settings: every number is declared by what it counts, and shown so."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

# Some settings speak of days, where data has seconds.
SECONDS_A_DAY = 86_400
NO_UNIT = "none"


@dataclass(frozen=True)
class Unit:
    """What a number of the configuration counts, as its JSON schema says.

    Attributes:
        name: The unit, in the plural.

    Example:
        >>> from recsparse.config.section import Section
        >>> class Cache(Section):
        ...     size: Annotated[int, Unit("bytes")] = 1
        >>> sizes = Cache.model_json_schema()["properties"]
        >>> unit_of(sizes["size"])
        'bytes'
    """

    name: str

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema of the number, with its unit."""
        return {**handler(core_schema), "unit": self.name}


def unit_of(field: Any) -> str | None:
    """Return the unit of a setting.

    Args:
        field: Its JSON schema.

    Returns:
        The unit of its numbers, be they values of a list or a table; None where it has none.

    Example:
        >>> unit_of({"anyOf": [{"type": "number", "unit": "days"}, {"type": "null"}]})
        'days'
    """
    if isinstance(field, dict):
        if isinstance(field.get("unit"), str):
            return str(field["unit"])
        field = [each for name, each in field.items() if name in _INNER]
    if not isinstance(field, list):
        return None
    return next(filter(None, map(unit_of, field)), None)


_INNER = ("anyOf", "items", "prefixItems", "additionalProperties")

# Numbers without a unit: weights, exponents, factors, rates.
Number: TypeAlias = Annotated[float, Unit(NO_UNIT)]
WholeNumber: TypeAlias = Annotated[int, Unit(NO_UNIT)]
Share: TypeAlias = Annotated[float, Unit("share 0..1")]
Days: TypeAlias = Annotated[float, Unit("days")]
Rating: TypeAlias = Annotated[float, Unit("rating")]

Rows: TypeAlias = Annotated[int, Unit("rows")]
Users: TypeAlias = Annotated[int, Unit("users")]
Items: TypeAlias = Annotated[int, Unit("items")]
Events: TypeAlias = Annotated[int, Unit("events")]
Words: TypeAlias = Annotated[int, Unit("words")]
Tokens: TypeAlias = Annotated[int, Unit("tokens")]
Epochs: TypeAlias = Annotated[int, Unit("epochs")]
Sweeps: TypeAlias = Annotated[int, Unit("sweeps")]
# Of vectors and layers.
Dimensions: TypeAlias = Annotated[int, Unit("dimensions")]
Blocks: TypeAlias = Annotated[int, Unit("blocks")]
