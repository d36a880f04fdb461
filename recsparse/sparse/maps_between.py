"""Kernel maps between grids of which neither made the other: they live as long as both grids do.

They are apart from the grids because `torch.compile` cannot look into weak dictionaries.
"""

from collections.abc import Iterator
from typing import TypeAlias
from weakref import WeakKeyDictionary

from recsparse.sparse.cells import Cells
from recsparse.sparse.kernel_map import KernelMap

# The settings of a kernel as plain numbers: `torch.compile` rebuilds them where it cannot a Kernel.
Settings: TypeAlias = tuple[tuple[int, ...], ...]
Maps: TypeAlias = dict[Settings, KernelMap]

_MAPS: WeakKeyDictionary[Cells, WeakKeyDictionary[Cells, Maps]] = WeakKeyDictionary()


def maps_between(source: Cells, target: Cells) -> Maps:
    """Return what is remembered of two grids.

    Args:
        source: The grid of the input.
        target: The grid of the output.

    Returns:
        The maps by the settings of their kernel, the same dictionary at every call.
    """
    return _MAPS.setdefault(source, WeakKeyDictionary()).setdefault(target, {})


def maps_from(source: Cells) -> Iterator[tuple[Cells, Maps]]:
    """Yield what is remembered of a grid.

    Args:
        source: The grid of the input.

    Yields:
        A grid of outputs, and the maps to it by the settings of their kernel.
    """
    yield from _MAPS.get(source, {}).items()
