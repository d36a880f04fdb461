"""Section: a group of settings that refuses unknown keys."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import NoneType
from typing import Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from recsparse.config.meanings import meanings_of, summary_of

# What stands for None in TOML and on the command line, which know no null.
NONE = "none"


def in_utc(time: datetime) -> datetime:
    """Return a time with its zone, UTC where it has none.

    Args:
        time: Any time.

    Returns:
        The same time, aware of its zone.
    """
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to unknown keys.

    A setting that can be None, and is no text, may be called `none`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON schema, which tells of each key what it means."""
        schema = handler(core_schema)
        known = handler.resolve_ref_schema(schema)
        known["description"] = summary_of(cls)
        for name, meaning in meanings_of(cls).items():
            if name in known.get("properties", {}):
                known["properties"][name]["description"] = meaning
        return schema

    @model_validator(mode="before")
    @classmethod
    def _none_by_name(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        named = {name for name, value in values.items() if value == NONE and cls._can_be_none(name)}
        return {name: None if name in named else value for name, value in values.items()}

    @classmethod
    def _can_be_none(cls, name: str) -> bool:
        field = cls.model_fields.get(name)
        kinds = () if field is None else get_args(field.annotation)
        return NoneType in kinds and str not in kinds

    @model_serializer(mode="wrap")
    def _name_none(self, handler: Callable[[Any], dict[str, Any]], info: Any) -> dict[str, Any]:
        # Elsewhere None is the default, and may be left out.
        values: dict[str, Any] = handler(self)
        if info.mode == "json":
            fields = type(self).model_fields
            values |= {
                name: NONE
                for name in fields
                if getattr(self, name) is None and fields[name].default is not None
            }
        return values
