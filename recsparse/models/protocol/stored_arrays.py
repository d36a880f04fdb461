"""States as they are read from files: each array is checked before a model or SciPy uses it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from recsparse.errors import InputError


def with_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors of one member of a model, by the names that the member gave them.

    Args:
        state: Tensors by name.
        prefix: What the model put before the member's names.

    Returns:
        The tensors; none where no name has the prefix.
    """
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def stored_tensor(
    state: Mapping[str, Tensor],
    name: str,
    *shape: int | None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return a tensor of a state.

    Args:
        state: Tensors by name.
        name: Which of them.
        *shape: Its sizes; None for one that may be any.
        dtype: Its type.

    Returns:
        The tensor.

    Raises:
        InputError: If there is no such tensor, it is of another shape or type, or not finite.
    """
    if name not in state:
        raise InputError(f"the state must hold the tensor {name!r}, but holds {sorted(state)}")
    found = state[name]
    fits = found.dim() == len(shape) and all(
        size in (None, own) for size, own in zip(shape, found.shape, strict=True)
    )
    if not fits or found.dtype != dtype:
        sizes = " × ".join("any" if size is None else str(size) for size in shape) or "no axes"
        raise InputError(
            f"the tensor {name!r} must be of {sizes} and {dtype}, but is of "
            f"{tuple(found.shape)} and {found.dtype}"
        )
    if not found.isfinite().all():
        raise InputError(f"the tensor {name!r} must be finite, but is not")
    return found


def checked_state(state: Any, owner: str) -> dict[str, Tensor]:
    """Return a state that can be written, as models of users' own may have another.

    Args:
        state: What `Recommender.state` returned.
        owner: The class of the model, for the error.

    Returns:
        The state itself.

    Raises:
        InputError: If it is anything else than tensors by name.
    """
    if not isinstance(state, dict):
        raise InputError(
            f"{owner}.state must return a dict of tensors by name, but returns a "
            f"{type(state).__name__}; return {{'name': tensor}}"
        )
    for name, value in state.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise InputError(
                f"{owner}.state must return tensors by name, but {name!r} is a "
                f"{type(value).__name__}; make it a tensor, as by torch.as_tensor"
            )
    return state


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as safetensors needs them: on the CPU, contiguous, no two in one memory.

    Args:
        tensors: By name, as those of tied weights, which are one tensor of two names.

    Returns:
        The same values by the same names.

    Example:
        >>> tied = torch.ones(2)
        >>> found = apart({"a": tied, "b": tied})
        >>> found["a"].data_ptr() == found["b"].data_ptr()
        False
    """
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        own = value.detach().cpu().contiguous()
        place = own.untyped_storage().data_ptr()
        found[name] = own.clone() if place in seen else own
        seen.add(place)
    return found


def stored_number(state: Mapping[str, Tensor], name: str) -> float:
    """Return a number of a state, a float64 tensor without axes that is not negative.

    Args:
        state: Tensors by name.
        name: Which of them.

    Returns:
        The number.

    Raises:
        InputError: If there is no such number, or it is negative or not finite.
    """
    number = float(stored_tensor(state, name, dtype=torch.float64))
    if number < 0:
        raise InputError(f"the number {name!r} must not be negative, but is {number}")
    return number


def stored_csr(
    state: Mapping[str, Tensor], rows: int | None, columns: int | None, values: str = "data"
) -> csr_matrix:
    """Return a matrix of a state: the tensors `indptr`, `indices`, and its values.

    Args:
        state: Tensors by name.
        rows: Number of rows; None for as many as `indptr` has.
        columns: Number of columns; None for as many as there are rows.
        values: The name of the values.

    Returns:
        The matrix.

    Raises:
        InputError: If a tensor is missing, or they do not make a matrix.
    """
    indptr = stored_tensor(state, "indptr", None, dtype=torch.int64).numpy()
    kind = state["indices"].dtype if "indices" in state else torch.int64
    kind = kind if kind == torch.int32 else torch.int64
    indices = stored_tensor(state, "indices", None, dtype=kind).numpy()
    data = stored_tensor(state, values, None).numpy()
    rows = len(indptr) - 1 if rows is None else rows
    return checked_csr(data, indices, indptr, (rows, rows if columns is None else columns), "state")


def checked_csr(
    data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: tuple[int, int], what: str
) -> csr_matrix:
    """Make a matrix of arrays from outside; SciPy takes their content on trust.

    Args:
        data: One value per cell.
        indices: The column of each cell.
        indptr: Where each row begins, and the number of cells.
        shape: Rows and columns.
        what: What the arrays are of, for errors.

    Returns:
        The matrix.

    Raises:
        InputError: If the arrays have other lengths than the shape says, the rows do not follow
            each other, a column is out of range, or a value is not finite.
    """
    rows, columns = shape
    if indices.shape != data.shape or data.ndim != 1:
        raise InputError(
            f"the {what} must have one column per cell, but {indices.shape} columns of "
            f"{data.shape} cells"
        )
    check_row_ptr(indptr, rows, len(data), what)
    if len(indices) and not (indices.min() >= 0 and indices.max() < columns):
        raise InputError(
            f"columns of the {what} must be from 0 to {columns - 1}, but are from "
            f"{indices.min()} to {indices.max()}"
        )
    if not np.isfinite(data).all():
        raise InputError(f"values of the {what} must be finite, but are not")
    return csr_matrix((data, indices, indptr), shape=shape)


def check_row_ptr(indptr: np.ndarray, rows: int, cells: int, what: str) -> None:
    """Refuse numbers that do not say where the rows of a matrix begin.

    Args:
        indptr: Where each row begins, and the number of cells.
        rows: Number of rows.
        cells: Number of cells.
        what: What the matrix is of, for errors.

    Raises:
        InputError: If there are more numbers or fewer, or the rows do not follow each other.
    """
    if rows < 0 or indptr.ndim != 1 or len(indptr) != rows + 1:
        raise InputError(
            f"indptr of the {what} must have {rows} + 1 numbers, but its shape is {indptr.shape}"
        )
    if indptr[0] != 0 or indptr[-1] != cells or (indptr[1:] < indptr[:-1]).any():
        raise InputError(
            f"indptr of the {what} must rise from 0 to the {cells} cells, but does not"
        )


def load_network(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a network its parameters and buffers.

    Args:
        network: Of the configured sizes.
        state: What its `state_dict` returned.

    Raises:
        InputError: If a name, a shape or a type differs, or a number is not finite.
    """
    wanted = network.state_dict()
    unknown = set(state) - set(wanted)
    if unknown:
        raise InputError(f"the network has no tensors {sorted(unknown)}, but the state holds them")
    for name, value in wanted.items():
        stored_tensor(state, name, *value.shape, dtype=value.dtype)
    network.load_state_dict(dict(state))
