"""Reading the configuration from TOML; an unknown key is an error that names the nearest one."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recsparse.config.config import Config
from recsparse.config.key_errors import explained
from recsparse.config.model_kinds import with_known_kinds
from recsparse.config.models import BlendConfig
from recsparse.config.plugins import OWN_NAME, import_named
from recsparse.config.search_space import SearchSpace, is_range, parse_range
from recsparse.errors import ConfigError, MissingFileError
from recsparse.files.filesystems import fetched

# Bytes that are no text, syntax, numbers of thousands of digits, thousands of nested brackets.
_NO_TOML = (ValueError, RecursionError)


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
    overridden = [_assign(values, override) for override in overrides]
    source = str(path) if path is not None else "--set"
    # Only here may a kind name a class to import: the file and the overrides are the caller's own.
    values["model"] = with_known_kinds(values.get("model"), may_import=True)
    _import_own(values)
    return _checked(values, source, overridden if path is not None else ())


def parse_space(tries: Sequence[str]) -> SearchSpace:
    """Read what a search tries.

    Args:
        tries: Assignments of lists, in TOML's value syntax, and of ranges.

    Returns:
        The values of each key, or their range.

    Raises:
        ConfigError: If an assignment is none, or assigns something else, or a loss of the caller's
            own cannot be imported.

    Example:
        >>> space = parse_space(["factors=[32, 64]", "regularisation=1..1000 log"])
        >>> space["factors"], str(space["regularisation"])
        ([32, 64], '1..1000 log')
    """
    space: dict[str, Any] = {}
    for text in tries:
        key, _, value = text.partition("=")
        values = _toml_value(value.strip())
        if not _parts(key) or not (isinstance(values, list) or is_range(values)):
            raise ConfigError(
                "--try must look like factors=[32, 64], or regularisation=1..1000 log, but got "
                f"{text!r}"
            )
        name = key.strip()
        space[name] = parse_range(values, name) if isinstance(values, str) else values
    losses = space.get("loss", ())
    for name in losses if isinstance(losses, list) else ():
        _import_named(name, "model.loss")
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
    return _checked(values, source, ())


def _checked(values: dict[str, Any], source: str, overridden: Sequence[str]) -> Config:
    model = with_known_kinds(values.get("model"), may_import=False)
    values = {**values, "model": _with_default_kind(model)}
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explained(error, source, overridden)) from None


def _import_own(values: dict[str, Any]) -> None:
    model = values.get("model")
    parts = model.get("parts") if isinstance(model, dict) else None
    for section in (model, *(parts if isinstance(parts, list) else ())):
        _import_named(section.get("loss") if isinstance(section, dict) else None, "model.loss")
    split = values.get("split")
    _import_named(split.get("kind") if isinstance(split, dict) else None, "split.kind")
    evaluation = values.get("evaluation")
    for key in ("metrics", "select_by"):
        named = evaluation.get(key) if isinstance(evaluation, dict) else None
        for metric in named if isinstance(named, list) else [named]:
            _import_named(metric, f"evaluation.{key}")


def _import_named(name: Any, key: str) -> None:
    # Of a metric, a list length may stand behind the name.
    function = name.partition("@")[0] if isinstance(name, str) else ""
    if OWN_NAME.fullmatch(function):
        import_named(function, key)


def _with_default_kind(model: Any) -> Any:
    if isinstance(model, dict):
        return {"kind": "blend", **model}
    return BlendConfig() if model is None else model


def _read_toml(path: Path, name: str | Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"the configuration must be a TOML file, but {name} is not a file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except _NO_TOML as error:
        raise ConfigError(f"{name} must be valid TOML, but {error}") from error
    except OSError as error:
        raise MissingFileError(f"{name} must be readable, but {error}") from error


def _assign(values: dict[str, Any], override: str) -> str:
    # Returns the dotted key.
    key, equals, text = override.partition("=")
    parts = _parts(key)
    if not equals or not parts:
        raise ConfigError(f"--set must look like training.epochs=20, but got {override!r}")
    *sections, name = parts
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(
                f"--set {override}: {section!r} is a value, not a section; set it as a whole, as "
                f"in --set {section}=…"
            )
    values[name] = _toml_value(text.strip())
    return ".".join(parts)


def _parts(key: str) -> list[str]:
    """Return the parts of a dotted key, which TOML lets one quote; none where one is empty."""
    try:
        found: Any = tomllib.loads(f"{key.strip()} = 0")
    except _NO_TOML:
        parts = [part.strip() for part in key.split(".")]
        return parts if all(parts) else []
    if len(found) != 1:  # of several lines
        return []
    parts = []
    while isinstance(found, dict):
        ((part, found),) = found.items()
        parts.append(part)
    return parts if all(parts) else []


def _toml_value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except _NO_TOML:
        return text
    return found["value"] if len(found) == 1 else text
