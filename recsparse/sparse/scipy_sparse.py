"""The cells of SciPy's sparse matrices and arrays."""

from typing import Any

import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.real_numbers import as_float, torch_values


def from_scipy_sparse(
    matrix: Any,
) -> tuple[Int[Tensor, "n 3"], Float[Tensor, "n 1"], tuple[int, ...]]:
    """Read the cells of a matrix in any order; those that occur twice are summed.

    Args:
        matrix: Any two-dimensional SciPy sparse matrix or array, which stays as it is.

    Returns:
        Sorted coordinates in sample 0, their one channel, and the shape.

    Raises:
        InputTypeError: If the numbers are complex or no numbers, or it is a tensor of torch's.
        InputError: If its indices contradict each other or its shape, or it has not two axes.

    Example:
        >>> coords, feats, shape = from_scipy_sparse(csr_matrix([[0, 7], [0, 0]]))
        >>> coords.tolist(), feats.tolist(), shape
        ([[0, 0, 1]], [[7.0]], (2, 2))
    """
    if isinstance(matrix, Tensor):
        raise InputTypeError(
            "from_scipy needs a matrix of SciPy, but got a tensor of torch; mend it by "
            "SparseTensor.from_torch"
        )
    if getattr(matrix, "ndim", 2) != 2:
        raise InputError(
            f"from_scipy needs a matrix of two axes, but got shape {matrix.shape}; mend it by "
            "matrix.reshape(1, -1)"
        )
    try:
        csr = csr_matrix(matrix, copy=True)
        csr.check_format(full_check=True)  # SciPy itself would read and write outside its arrays
    except ValueError as error:
        raise InputError(
            f"from_scipy needs a matrix whose indices fit its shape, but got: {error}"
        ) from error
    csr.sum_duplicates()
    coo = csr.tocoo(copy=False)
    coords = torch.zeros(coo.nnz, 3, dtype=torch.int64, device="cpu")
    coords[:, 1] = torch.from_numpy(coo.row)
    coords[:, 2] = torch.from_numpy(coo.col)
    return coords, as_float(torch_values(coo.data)).unsqueeze(1), tuple(csr.shape)
