"""Models by their kinds: ours, which are imported where they are used, and users' own."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from recsparse.config.config import Config
from recsparse.config.model_kinds import find_section
from recsparse.config.model_section import ModelSection, add_section, kind_of
from recsparse.config.models import BlendConfig
from recsparse.errors import InputError
from recsparse.models.protocol.recommender import Recommender

Model = TypeVar("Model", bound=type[Recommender])


def register(section: type[ModelSection]) -> Callable[[Model], Model]:
    """Make a class of models known by the kind of its settings.

    All stages take the kind from then on, as `model.kind` and as a part of a blend. Another
    process has to import the module, too: it names it in the environment variable
    `RECSPARSE_PLUGINS`, or finds it as an entry point of the group `recsparse.models`.

    Args:
        section: The settings, with their kind, defaults and search space.

    Returns:
        A decorator of the class.

    Raises:
        InputError: If another process could not import the class by its name, or the kind is that
            of another model.
    """
    kind = kind_of(section)

    def registered(model: Model) -> Model:
        name = f"{model.__module__}:{model.__qualname__}"
        if model.__module__ == "__main__" or "." in model.__qualname__:
            raise InputError(
                f"a registered model must be a class that another process can import, but {name} "
                "is made in a script, a notebook or a function; put it at the top of a module of "
                "its own, and import that"
            )
        section.implementation = name
        add_section(section)
        model.kind = kind
        # Their schemas name every kind.
        BlendConfig.model_rebuild(force=True)
        Config.model_rebuild(force=True)
        return model

    return registered


def model_class(kind: str) -> type[Recommender]:
    """Return the class of a kind of model.

    Args:
        kind: As a section of the configuration has it.

    Returns:
        The class, imported if it was not.

    Raises:
        InputError: If the kind is not known, or its class cannot be imported by its name.
    """
    section = find_section(kind)
    if section is None:
        raise InputError(f"the kind of a model must be known, but got {kind!r}; register its class")
    module, _, name = section.implementation.partition(":")
    found = getattr(import_module(module), name, None)
    if not (isinstance(found, type) and issubclass(found, Recommender)):
        raise InputError(
            f"{section.implementation} must be a class of models that can be imported by its name, "
            f"but is {found!r}; register it at the top of its module, under the name that it keeps"
        )
    return found


def build_model(config: Any) -> Recommender:
    """Make an unfitted model.

    Args:
        config: A model section of the configuration; its `kind` says which model.

    Returns:
        The model.
    """
    return model_class(config.kind)(config)
