"""Settings of one trial laid over a configuration, and the check of what a search is to try."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from recsparse.config.config import Config
from recsparse.config.search_space import Range, SearchSpace, is_range, parse_range
from recsparse.config.section import Section
from recsparse.config.toml_reader import parse_config
from recsparse.errors import ConfigError, InputError

_SOURCE = "the search space"
# A network without a training of its own has that of the configuration.
_TRAINING = "training"


def with_settings(config: Config, settings: Mapping[str, Any]) -> Config:
    """Return a configuration with other settings of its model.

    Args:
        config: The configuration.
        settings: Values by their keys below `model`, dotted ones of its own sections, as in
            `training.learning_rate`.

    Returns:
        The checked configuration.

    Raises:
        ConfigError: If a key is unknown or a value is out of range.
    """
    values = config.model_dump(mode="json")
    for key, value in settings.items():
        *above, name = key.split(".")
        section = values["model"]
        for part in above:
            if part == _TRAINING and not isinstance(section.get(part), dict):
                section[part] = dict(values[_TRAINING])
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise ConfigError(f"model.{key} must be a key of a section, but {part!r} is none")
        section[name] = value
    return parse_config(values, source=_SOURCE)


def checked_space(config: Config, space: Mapping[str, Any]) -> SearchSpace:
    """Check each setting of a search by itself.

    Args:
        config: The configuration that the settings are laid over.
        space: Lists, and ranges as such or as text; rules that take several settings are left to
            the trials.

    Returns:
        Lists without values that repeat, and ranges, of whole numbers where the setting takes
        these alone.

    Raises:
        InputError: If a list is empty.
        ConfigError: If a key is unknown, a value is out of range, or a range is of a setting
            without numbers.
    """
    return {key: _checked(config, key, tried) for key, tried in space.items()}


def configured(config: Config, key: str) -> Any:
    """Return the value of a setting that a search tries.

    Args:
        config: The configuration that settings are laid over.
        key: The setting below `model`.

    Returns:
        Its value; None where the section that it is in is not set.
    """
    return getattr(_section(config, key), key.split(".")[-1], None)


def _checked(config: Config, key: str, tried: Any) -> Sequence[Any] | Range:
    if is_range(tried):
        tried = parse_range(tried, f"model.{key}")
    if isinstance(tried, Range):
        return _checked_range(config, key, tried)
    if isinstance(tried, str) or not isinstance(tried, Sequence):
        raise ConfigError(f"model.{key} must be tried by a list or a range, but got {tried!r}")
    if not tried:
        raise InputError(f"every key of the search space must have values, but {key!r} has none")
    distinct = [value for number, value in enumerate(tried) if not _has(tried[:number], value)]
    for value in distinct:
        _check_value(config, key, value)
    return distinct


def _has(values: Sequence[Any], value: Any) -> bool:
    return any(type(each) is type(value) and each == value for each in values)


def _checked_range(config: Config, key: str, tried: Range) -> Range:
    field = _field(config, key)
    if field is None:
        with_settings(config, {key: tried.low})  # names the key that is unknown
    kinds = set() if field is None else set(_kinds(field.annotation))
    if not kinds & {int, float}:
        raise ConfigError(
            f"model.{key} takes no numbers, so no range, but got {tried}; name values as a list"
        )
    is_integer = float not in kinds
    if is_integer:
        if tried.low % 1 or tried.high % 1:
            raise ConfigError(f"model.{key} takes whole numbers, but its range is {tried}")
        tried = replace(tried, low=int(tried.low), high=int(tried.high))
    for end in (tried.low, tried.high):
        _check_value(config, key, end)
    return replace(tried, integer=is_integer)


def _check_value(config: Config, key: str, value: Any) -> None:
    try:
        with_settings(config, {key: value})
    except ConfigError:
        field = _field(config, key)
        if field is None or not _fits(field, value):
            raise


def _fits(field: FieldInfo, value: Any) -> bool:
    # What is wrong with a value that fits its setting is a rule with other settings.
    kind: Any = field.annotation
    for mark in field.metadata:
        kind = Annotated[kind, mark]
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _field(config: Config, key: str) -> FieldInfo | None:
    section = _section(config, key)
    return None if section is None else type(section).model_fields.get(key.split(".")[-1])


def _section(config: Config, key: str) -> Section | None:
    section: Any = config.model
    for part in key.split(".")[:-1]:
        section = getattr(section, part, None)
        if section is None and part == _TRAINING:
            section = config.training
    return section if isinstance(section, Section) else None


def _kinds(annotation: Any) -> list[type]:
    # The plain types that a type is made of.
    if isinstance(annotation, type):
        return [annotation]
    return [kind for inner in get_args(annotation) for kind in _kinds(inner)]
