"""Where the code of users' own modules lies, so that a logged model can take it along."""

import logging
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

logger = logging.getLogger(__name__)


def own_code(modules: Iterable[str]) -> list[Path]:
    """Return the files and folders of some modules.

    Args:
        modules: Their names; of a module within a package, the whole package is meant.

    Returns:
        One path for each; none, with a warning, for a module that this process cannot find.
    """
    tops = sorted({name.partition(".")[0] for name in modules})
    found = {top: _place(top) for top in tops}
    for top, path in found.items():
        if path is None:
            logger.warning(
                "the module %s of this model cannot be found, so the logged model goes without it",
                top,
            )
    return [path for path in found.values() if path is not None]


def _place(top: str) -> Path | None:
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    for folder in spec.submodule_search_locations or ():
        return Path(folder)
    return Path(spec.origin) if spec.origin and Path(spec.origin).is_file() else None
