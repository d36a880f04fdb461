"""The cells of torch's sparse tensors, of every layout."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.coords import check_coords
from recsparse.sparse.precision import wide_type
from recsparse.sparse.real_numbers import as_float
from recsparse.sparse.repeated_cells import coalesce

_BY_ROW, _BY_COLUMN = (torch.sparse_csr, torch.sparse_bsr), (torch.sparse_csc, torch.sparse_bsc)
_BLOCKED = (torch.sparse_bsr, torch.sparse_bsc)
Cells = tuple[Int[Tensor, "n d_1"], Float[Tensor, "n c"], tuple[int, ...]]


def from_torch_sparse(sparse: Tensor) -> Cells:
    """Read the cells of a sparse tensor in any order; those that occur twice are summed.

    Args:
        sparse: `sparse_coo` of shape (batch, *spatial_shape, channels) with one dense dimension; or
            a matrix of any layout, (rows, columns), that is one sample of one channel. Compressed
            layouts (CSR, CSC, BSR, BSC) may have a batch dimension before and a dense one of
            channels behind the two of the matrix.

    Returns:
        Sorted coordinates, their channels, and the shape (batch, *spatial_shape).

    Raises:
        InputTypeError: If it is no tensor.
        InputError: If it has other dimensions, or indices outside of its shape.

    Example:
        >>> coords, feats, shape = from_torch_sparse(torch.eye(2).to_sparse_csr())
        >>> coords.tolist(), feats.tolist(), shape
        ([[0, 0, 0], [0, 1, 1]], [[1.0], [1.0]], (1, 2, 2))
    """
    if not isinstance(sparse, Tensor):
        raise InputTypeError(
            f"from_torch needs a tensor of torch's, but got {type(sparse).__name__}; mend it by "
            "SparseTensor.from_scipy"
        )
    dense = sparse.dense_dim() if sparse.layout != torch.strided else sparse.ndim
    places = sparse.ndim - dense
    if sparse.layout in _BY_ROW + _BY_COLUMN and dense <= 1 and places <= 3:
        coords, values = _of_compressed(sparse)
    elif sparse.layout == torch.sparse_coo and ((dense == 1 < places) or (dense, places) == (0, 2)):
        coords, values = _of_coo(sparse)
    else:
        raise InputError(_refusal(sparse))
    shape = tuple(sparse.shape[:places])
    if dense == 0:
        values = values.unsqueeze(1)
    if places == 2 and (dense == 0 or sparse.layout != torch.sparse_coo):  # a matrix: one sample
        coords = torch.nn.functional.pad(coords, (1, 0))
        shape = (1, *shape)
    check_coords(coords, shape[1:], shape[0])
    # torch calls what it made of an unsorted CSR matrix coalesced: the order is looked at here.
    return *coalesce(coords, as_float(values), shape[1:], "sum"), shape


def _of_coo(sparse: Tensor) -> tuple[Int[Tensor, "n d"], Tensor]:
    # Repeated cells are summed by torch, through which gradients flow, but not in 16 bits.
    if not sparse.is_coalesced() and sparse.dtype.is_floating_point:
        dtype = sparse.dtype
        wide = sparse.to(wide_type(dtype)).coalesce()
        return wide.indices().T.contiguous(), wide.values().to(dtype)
    sparse = sparse.coalesce()
    return sparse.indices().T.contiguous(), sparse.values()


def _of_compressed(sparse: Tensor) -> tuple[Int[Tensor, "n d"], Tensor]:
    by_row = sparse.layout in _BY_ROW
    ptr = sparse.crow_indices() if by_row else sparse.ccol_indices()
    across = sparse.col_indices() if by_row else sparse.row_indices()
    values, batched = sparse.values(), ptr.ndim == 2
    batch = len(ptr) if batched else 1
    ptr, across = ptr.reshape(batch, -1).long(), across.reshape(batch, -1).long()
    _check_pointers(ptr, across.shape[1])
    lane = torch.arange(ptr.shape[1] - 1, device=ptr.device).repeat(batch)
    along = lane.repeat_interleave(ptr.diff(dim=1).flatten())
    across, values = across.flatten(), values.flatten(0, 1) if batched else values
    row, column = (along, across) if by_row else (across, along)
    sample = torch.arange(batch, device=ptr.device).repeat_interleave(len(row) // max(batch, 1))
    if sparse.layout in _BLOCKED:
        height, width = values.shape[1:3]
        inner = torch.arange(height * width, device=ptr.device)
        row = (row.unsqueeze(1) * height + inner // width).flatten()
        column = (column.unsqueeze(1) * width + inner % width).flatten()
        sample, values = sample.repeat_interleave(height * width), values.flatten(0, 2)
    columns = [sample, row, column] if batched else [row, column]
    return torch.stack(columns, dim=1), values


def _check_pointers(ptr: Int[Tensor, "b rows_1"], stored: int) -> None:
    wrong = (ptr[:, 0] != 0) | (ptr[:, -1] != stored) | (ptr.diff(dim=1) < 0).any(dim=1)
    if wrong.any():
        raise InputError(
            f"the pointers of a compressed tensor must rise from 0 to its {stored} values, but got "
            f"{ptr[int(wrong.nonzero()[0])].tolist()}"
        )


def _refusal(sparse: Tensor) -> str:
    cure = "x.to_dense().to_sparse(x.ndim - 1)" if sparse.ndim > 2 else "x.to_dense().to_sparse()"
    if sparse.ndim < 2:
        cure = "x.to_dense().reshape(1, -1).to_sparse(), a matrix of one row"
    return (
        "from_torch needs a sparse matrix (rows, columns), or a sparse_coo tensor (batch, "
        "*spatial_shape, channels) with one dense dimension, the channels, but got "
        f"{sparse.layout} of shape {tuple(sparse.shape)}; mend it by {cure}"
    )
