"""Rows of users in the model folders of older builds, which are read as a whole."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.models.protocol.stored_arrays import checked_csr
from recsparse.scoring.left_out import HISTORY
from recsparse.scoring.user_rows import RowsInMemory

_TIMES = "times_"
_PARTS = ("data", "indices", "indptr", "shape")


def rows_of_older_build(path: Path, shape: tuple[int, int]) -> RowsInMemory:
    """Read rows in the format of version 1.

    Args:
        path: The file.
        shape: The number of users and of items that it must have.

    Returns:
        The rows.

    Raises:
        InputError: If the file does not hold rows of that shape.
    """
    arrays = load_arrays(path)
    history = _matrix(arrays, "", np.float32, shape)
    return RowsInMemory(history, _times(arrays, history))


def _matrix(
    arrays: Mapping[str, NDArray[Any]], prefix: str, kind: type, shape: tuple[int, int]
) -> csr_matrix:
    kinds = dict(zip(_PARTS, (kind, np.int64, np.int64, np.int64), strict=True))
    for name, wanted in kinds.items():
        if f"{prefix}{name}" not in arrays or arrays[f"{prefix}{name}"].dtype != wanted:
            raise InputError(f"{HISTORY} must hold {prefix}{name} of {np.dtype(wanted)}")
    data, indices, indptr, found = (arrays[f"{prefix}{name}"] for name in _PARTS)
    if found.tolist() != [*shape]:
        raise InputError(f"histories must be of {shape} users and items, but are {found.tolist()}")
    matrix = checked_csr(data, indices, indptr, shape, HISTORY)
    if not matrix.has_canonical_format:
        raise InputError(f"cells of {HISTORY} must be sorted in their rows, each there once")
    return matrix


def _times(arrays: Mapping[str, NDArray[Any]], history: csr_matrix) -> csr_matrix | None:
    if (history.data < 0).any():
        raise InputError(f"weights in {HISTORY} must not be negative")
    known = {name for name in arrays if name.startswith(_TIMES)}
    unknown = set(arrays) - known - set(_PARTS)
    if unknown:
        raise InputError(f"{HISTORY} holds {sorted(unknown)}, which are not known")
    if not known:
        return None
    times = _matrix(arrays, _TIMES, np.int64, history.shape)
    if not (
        np.array_equal(times.indptr, history.indptr)
        and np.array_equal(times.indices, history.indices)
    ):
        raise InputError(f"{HISTORY} must hold a time for each cell of the histories, and no other")
    return times
