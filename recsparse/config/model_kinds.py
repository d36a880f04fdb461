"""Which section a kind of model has: ours, registered ones, and those of plug-ins."""

from collections.abc import Mapping
from typing import Any

from recsparse.config.model_section import ModelSection, known_sections
from recsparse.config.plugins import MODELS, import_entry_point, import_named, import_plugins
from recsparse.errors import ConfigError


def find_section(kind: str) -> type[ModelSection] | None:
    """Return the section of a kind, after looking among the plug-ins that this process has.

    Args:
        kind: What the configuration says.

    Returns:
        The section; None where nothing known has that kind.
    """
    if kind not in known_sections():
        import_plugins()
    if kind not in known_sections():
        import_entry_point(MODELS, kind)
    return known_sections().get(kind)


def with_known_kinds(model: Any, may_import: bool) -> Any:
    """Return a model's section as it is written, with kinds that this process knows.

    Args:
        model: The section, with those of a blend's parts; anything else is returned as it is.
        may_import: Whether a kind `module:Class` is imported; only of the caller's own files.

    Returns:
        The section, with the kind of each class that it names.

    Raises:
        ConfigError: If a class cannot be imported, or is no registered model.
    """
    if not isinstance(model, Mapping):
        return model
    values, kind = dict(model), model.get("kind")
    if isinstance(kind, str) and ":" in kind and may_import:
        values["kind"] = _kind_of_class(kind)
    elif isinstance(kind, str):
        find_section(kind)
    if isinstance(values.get("parts"), list | tuple):
        values["parts"] = [with_known_kinds(part, may_import) for part in values["parts"]]
    return values


def _kind_of_class(name: str) -> str:
    found = import_named(name, "model.kind")
    kind = getattr(found, "kind", None)
    section = known_sections().get(kind) if isinstance(kind, str) else None
    own = f"{getattr(found, '__module__', '')}:{getattr(found, '__qualname__', '')}"
    if section is None or section.implementation != own:
        raise ConfigError(
            f"model.kind must name a registered class, but {name} is none; put @register(Settings) "
            "of recsparse.models.registry above it"
        )
    return str(kind)
