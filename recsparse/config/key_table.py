"""Every setting with its default, its values and its meaning, for readers, files and editors."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recsparse.config.config import Config
from recsparse.config.plugins import OWN_NAME
from recsparse.config.units import NO_UNIT, unit_of

_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
_MODEL = "model"
_WIDTH = 96


@dataclass(frozen=True)
class Setting:
    """One key of the configuration.

    Attributes:
        section: The section in which it stands, as in `log` or `model.kind = ease`; empty for keys
            above all sections.
        name: Of the key.
        default: In TOML's syntax; `none` where there is no value.
        unit: What its numbers count, such as `days`; `none` where they count nothing.
        values: What can be set, in words.
        meaning: What it does.
    """

    section: str
    name: str
    default: str
    unit: str
    values: str
    meaning: str


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration, by which editors complete and check TOML files.

    Numbers have a keyword `unit` there, which editors pass over.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def settings() -> list[Setting]:
    """Return all settings in the order of the sections: of models, those of every kind."""
    schema = json_schema()
    found = []
    for section, properties in _sections(schema):
        for name, field in properties.items():
            if "const" not in field:  # the kind, which heads the section
                default, unit = _value(_default(field)), unit_of(field) or NO_UNIT
                values, meaning = _values(field), field.get("description", "")
                found.append(Setting(section, name, default, unit, values, meaning))
    return found


def commented_toml() -> str:
    """Return a configuration of all defaults as TOML, each below what it means and counts.

    Returns:
        The text; keys without a value, and the models that are not the default, are comments.
    """
    default_kind = Config().model.kind
    heads = {f"{_MODEL}.kind = {default_kind}": _MODEL}
    lines: list[str] = []
    section = ""
    for each in settings():
        is_comment = each.section.startswith(_MODEL) and each.section not in heads
        mark = "# " if is_comment else ""
        if each.section != section:
            section = each.section
            kind = section.partition(" = ")[2]
            lines += ["", f"{mark}[{heads.get(section, _MODEL if kind else section)}]"]
            lines += [f'{mark}kind = "{kind}"'] if kind else []
        unit = "" if each.unit == NO_UNIT else f" Unit: {each.unit}."
        lines += [f"# {line}" for line in textwrap.wrap(each.meaning + unit, _WIDTH)]
        is_none = each.default == "none"
        lines.append(f"{'# ' if is_none or is_comment else ''}{each.name} = {each.default}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _sections(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    definitions, top = schema["$defs"], schema["properties"]
    sections = {name: _referred(field) for name, field in top.items() if _referred(field)}
    yield "", {name: top[name] for name in top if name not in sections and name != _MODEL}
    for name in top:
        if name in sections:
            yield name, definitions[sections[name]]["properties"]
        elif name == _MODEL:
            for kind, place in top[name]["discriminator"]["mapping"].items():
                known = definitions[place.rpartition("/")[2]]
                yield f"{_MODEL}.kind = {kind}", known["properties"]


def _referred(field: Mapping[str, Any]) -> str:
    return str(field.get("$ref", "")).rpartition("/")[2]


def _default(field: Mapping[str, Any]) -> Any:
    # Of tables that are made anew each time, the schema does not say that they are empty.
    return field.get("default", {} if field.get("type") == "object" else None)


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        inner = ", ".join(
            f"{name} = {_value(one)}" for name, one in value.items() if one is not None
        )
        return f"{{ {inner} }}" if inner else "{}"
    return json.dumps(value, ensure_ascii=False)


def _values(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return ", ".join(dict.fromkeys(_values(each) for each in field["anyOf"]))
    if "const" in field:
        return str(field["const"])
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    if "$ref" in field:
        return f"a section such as {_referred(field).removesuffix('Config').lower()}"
    if field.get("pattern") == OWN_NAME.pattern:
        return "module:name"
    kind = str(field.get("type", "a section"))
    if kind == "array":
        return f"list of {_values(field.get('items') or field.get('prefixItems', [{}])[0])}"
    names = {"string": "text", "object": "table", "boolean": "true, false", "null": "none"}
    bounds = [text.format(field[name]) for name, text in _BOUNDS.items() if name in field]
    return " ".join([names.get(kind, kind), ", ".join(bounds)]).rstrip()
