"""The packages that a logged model needs to score, each in the version that it was tested with."""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# All that loading, scoring, and reading a history of a request import; MLflow serves it.
NEEDED = (
    "duckdb", "filelock", "fsspec", "jaxtyping", "mlflow", "numpy", "pandas", "platformdirs",
    "pyarrow", "pydantic", "safetensors", "scipy", "torch", "typing-extensions",
)  # fmt: skip


@cache
def pinned_requirements() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what an environment for a logged model is built from.

    Versions are those installed, without a label of their build such as `+cpu`: no registry has it.

    Returns:
        The requirements, and the constraints of all that these require in turn.
    """
    versions = dict(_closure(NEEDED))
    direct = tuple(f"{name}=={versions[name]}" for name in NEEDED if name in versions)
    return direct, tuple(f"{name}=={version}" for name, version in sorted(versions.items()))


def _closure(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another platform, or bundled with what requires it
            continue
        yield name, Version(found.version).public
        for text in found.requires or ():
            required = Requirement(text)
            if required.marker is None or required.marker.evaluate({"extra": extra}):
                base = canonicalize_name(required.name)
                waiting += [(base, each) for each in ("", *required.extras)]
