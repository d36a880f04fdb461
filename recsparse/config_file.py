"""Reading the configuration from TOML; an unknown key is an error that names the nearest one."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from recsparse.config import Config
from recsparse.errors import ConfigError, MissingFileError, nearest
from recsparse.filesystems import fetched
from recsparse.model_config import MODEL_CONFIGS, BlendConfig


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file and apply `key=value` overrides on top of it.

    Args:
        path: The TOML file, or its address; None means the defaults.
        overrides: Dotted assignments in TOML's own value syntax; bare words are strings.

    Returns:
        The checked configuration.

    Raises:
        MissingFileError: If there is no file at `path`.
        ConfigError: If the file is no TOML, a key is unknown or a value is out of range.

    Example:
        >>> load_config(overrides=["training.epochs=20"]).training.epochs
        20
    """
    values = _read_toml(fetched(path), path) if path is not None else {}
    for override in overrides:
        _assign(values, override)
    return parse_config(values, source=str(path) if path is not None else "--set")


def parse_space(tries: Sequence[str]) -> dict[str, list[Any]]:
    """Read what a search shall try.

    Args:
        tries: Assignments of lists, in TOML's value syntax.

    Returns:
        The values of each key.

    Raises:
        ConfigError: If an assignment is none, or assigns something else than a list.

    Example:
        >>> parse_space(["factors=[32, 64]"])
        {'factors': [32, 64]}
    """
    space: dict[str, list[Any]] = {}
    for text in tries:
        key, _, value = text.partition("=")
        values = _toml_value(value.strip())
        if not key.strip() or not isinstance(values, list):
            raise ConfigError(f"--try must look like factors=[32, 64], but got {text!r}")
        space[key.strip()] = values
    return space


def parse_config(values: dict[str, Any], source: str = "configuration") -> Config:
    """Check a nested dictionary of settings.

    Args:
        values: Sections and their settings.
        source: What to call the origin in an error.

    Returns:
        The checked configuration.

    Raises:
        ConfigError: If a key is unknown or a value is out of range.
    """
    values = {**values, "model": _with_default_kind(values.get("model"))}
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item, source) for item in error.errors())) from None


def _with_default_kind(model: Any) -> Any:
    if isinstance(model, dict):
        return {"kind": "blend", **model}
    return BlendConfig() if model is None else model


def _read_toml(path: Path, name: str | Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"the configuration must be a TOML file, but {name} is not a file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} must be valid TOML, but {error}") from error


def _assign(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set must look like training.epochs=20, but got {override!r}")
    *sections, name = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override}: {section!r} is a value, not a section")
    values[name] = _toml_value(text.strip())


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(item: Any, source: str) -> str:
    kinds = set(_kinds())
    path = [str(part) for part in item["loc"] if str(part) not in kinds]
    where = ".".join(path)
    if item["type"] == "extra_forbidden":
        return f"{source} has the unknown key {where!r}; {nearest(path[-1], _known_keys(item))}"
    if item["type"] == "union_tag_invalid":
        found = item["ctx"]["tag"]
        return f"{source}: model.kind must be known, but got {found!r}; {nearest(found, _kinds())}"
    return f"{source}: {where} is wrong: {item['msg']}, but got {item['input']!r}"


def _kinds() -> list[str]:
    return [section.model_fields["kind"].default for section in MODEL_CONFIGS]


def _known_keys(item: Any) -> list[str]:
    section: type[BaseModel] = Config
    for part in item["loc"][:-1]:
        if part == "model":
            continue
        section = _section_named(section, str(part))
    return list(section.model_fields)


def _section_named(section: type[BaseModel], part: str) -> type[BaseModel]:
    for config in MODEL_CONFIGS:
        if config.model_fields["kind"].default == part:
            return config
    annotation = section.model_fields[part].annotation
    return annotation if isinstance(annotation, type) else section
