"""Code of users' own: modules are imported only where this process was told their names.

It is told by installed packages (entry points), by the environment variable `RECSPARSE_PLUGINS`,
and by `module:name` in a configuration of the caller's. What a folder of a model or of a dataset
names is never imported for that.
"""

import importlib
import os
import re
import sys
from importlib.metadata import entry_points
from typing import Any

from recsparse.errors import ConfigError, RecsparseError, reason

PLUGINS = "RECSPARSE_PLUGINS"
MODELS = "recsparse.models"
# A name in a module, as users call code of their own.
OWN_NAME = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


def import_plugins() -> None:
    """Import the modules that the environment variable `RECSPARSE_PLUGINS` names, with commas.

    Raises:
        ConfigError: If there is no such module, or it cannot be imported.
    """
    for name in os.environ.get(PLUGINS, "").split(","):
        if name.strip():
            _module(name.strip(), f"the environment variable {PLUGINS}")


def import_entry_point(group: str, name: str) -> None:
    """Import what an installed package offers under a name; nothing where none does.

    Args:
        group: Of the entry points, as `recsparse.models`.
        name: Of the entry point.
    """
    for entry in entry_points(group=group, name=name):
        entry.load()


def import_named(name: str, key: str) -> Any:
    """Import what a configuration of the caller's names.

    Args:
        name: `module:name`.
        key: Of the configuration, for errors.

    Returns:
        What the module calls so.

    Raises:
        ConfigError: If there is no such module, or no class or function of that name in it.
    """
    module_name, _, attribute = name.partition(":")
    module = _module(module_name, key)
    try:
        found = getattr(module, attribute)
    except AttributeError:
        raise ConfigError(
            f"{key} must name something in {module_name}, but it has no {attribute!r}"
        ) from None
    if not callable(found):
        raise ConfigError(f"{key} must name a class or a function, but {name} is {found!r}")
    return found


def told_of(name: str, key: str) -> Any:
    """Return what a name stands for, where this process was told of its module before.

    Args:
        name: `module:name`, which a folder of a stranger's may have, too.
        key: Of the configuration, for errors.

    Returns:
        What the module calls so.

    Raises:
        ConfigError: If the module is neither imported nor named by `RECSPARSE_PLUGINS`.
    """
    module = name.partition(":")[0]
    if module not in sys.modules:
        import_plugins()
    if module not in sys.modules:
        raise ConfigError(
            f"{key} is {name}, of a module that this process was not told of; if you trust it, set "
            f"the environment variable {PLUGINS}={module}, with its folder on PYTHONPATH"
        )
    return import_named(name, key)


def _module(name: str, key: str) -> Any:
    try:
        return importlib.import_module(name)
    except RecsparseError as error:
        # Such an error says itself how to mend it, as that of a kind that another model has.
        raise ConfigError(
            f"{key} must name a module that can be imported, but {name!r} cannot be: {error}"
        ) from error
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{key} must name a module that can be imported, but {name!r} cannot be: "
            f"{reason(error)}; install it, or put its folder on PYTHONPATH"
        ) from error
