"""Features on cells, to and from dense tensors and those of torch, SciPy and TensorFlow."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix, csr_matrix
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import check_feats
from recsparse.sparse.grid import Grid
from recsparse.sparse.precision import widened
from recsparse.sparse.real_numbers import as_float
from recsparse.sparse.scipy_sparse import from_scipy_sparse
from recsparse.sparse.tensorflow import from_tf_sparse, to_tf_sparse
from recsparse.sparse.torch_sparse import from_torch_sparse

# Not `Self`, which beartype cannot check in a method by itself.
Cells = TypeVar("Cells", bound="Convertible")


@dataclass(frozen=True, eq=False, repr=False)
class Convertible:
    """Features on the active cells of a grid, in any of the field's formats; see `SparseTensor`.

    Attributes:
        grid: The cells.
        feats: One row of channels per cell, of a floating type, on the device of the grid; anything
            else raises `InputError`.
    """

    grid: Grid
    feats: Float[Tensor, "n c"]

    def __post_init__(self) -> None:
        check_feats(self.feats, self.grid.coords)

    @property
    def coords(self) -> Int[Tensor, "n d_1"]:
        """One row per cell: the sample, then one coordinate per axis."""
        return self.grid.coords

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        return self.grid.spatial_shape

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return self.grid.batch_size

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return self.feats.shape[1]

    def to_dense(self) -> Tensor:
        """Return the dense tensor.

        Returns:
            Shape (batch, channels, *spatial_shape).

        Example:
            >>> from recsparse.sparse.tensor import SparseTensor
            >>> cells = Grid(torch.tensor([[0, 1]]), spatial_shape=(3,), batch_size=1)
            >>> SparseTensor(cells, torch.tensor([[5.0, 6.0]])).to_dense().tolist()
            [[[0.0, 5.0, 0.0], [0.0, 6.0, 0.0]]]
        """
        dense = self.feats.new_zeros(self.batch_size, *self.spatial_shape, self.num_channels)
        return dense.index_put(tuple(self.coords.T), self.feats).movedim(-1, 1)

    @classmethod
    def from_dense(cls: type[Cells], dense: Tensor) -> Cells:
        """Return the cells of a dense tensor that have any non-zero channel.

        Args:
            dense: Shape (batch, channels, *spatial_shape); integers become torch's default float.

        Returns:
            The sparse tensor.

        Raises:
            InputTypeError: If the numbers are complex.
            InputError: If it has no spatial axis, or is a sparse tensor.

        Example:
            >>> from recsparse.sparse.tensor import SparseTensor
            >>> x = SparseTensor.from_dense(torch.tensor([[[0.0, 5.0, 0.0], [0.0, 0.0, 6.0]]]))
            >>> x.coords.tolist(), x.feats.tolist()
            ([[0, 1], [0, 2]], [[5.0, 0.0], [0.0, 6.0]])
        """
        if dense.ndim < 3:
            raise InputError(
                "from_dense needs (batch, channels, *spatial_shape), but got "
                f"{tuple(dense.shape)}; mend a matrix by dense[None, None]"
            )
        if dense.layout != torch.strided:
            raise InputError(
                f"from_dense needs a dense tensor, but got {dense.layout}; mend it by "
                "SparseTensor.from_torch"
            )
        last = as_float(dense).movedim(1, -1)
        coords = (last != 0).any(dim=-1).nonzero()
        grid = Grid(coords, tuple(dense.shape[2:]), dense.shape[0], trusted=True)
        return cls(grid, last[tuple(coords.T)])

    def to_torch(self) -> Tensor:
        """Return a hybrid `torch.sparse_coo` tensor.

        Returns:
            Shape (batch, *spatial_shape, channels), the channels dense, coalesced.

        Example:
            >>> from recsparse.sparse.tensor import SparseTensor
            >>> SparseTensor.from_dense(torch.eye(3)[None, None]).to_torch().shape
            torch.Size([1, 3, 3, 1])
        """
        shape = (self.batch_size, *self.spatial_shape, self.num_channels)
        return torch.sparse_coo_tensor(
            self.coords.T, self.feats, shape, is_coalesced=True, check_invariants=False
        )

    @classmethod
    def from_torch(cls: type[Cells], sparse: Tensor) -> Cells:
        """Read a sparse tensor of torch's, cells in any order; those that occur twice are summed.

        Args:
            sparse: `sparse_coo` of shape (batch, *spatial_shape, channels) with one dense
                dimension; or a matrix (rows, columns) of any layout, which becomes one sample of
                one channel, as by `from_scipy`. Compressed layouts (CSR, CSC, BSR, BSC) may have a
                batch dimension before, and a dense one of channels behind the two of the matrix.
                Integers become torch's default float, explicit zeros stay active cells.

        Returns:
            The sparse tensor.

        Raises:
            InputTypeError: If the numbers are complex.
            InputError: If it has other dimensions, or indices outside of its shape.

        Example:
            >>> from recsparse.sparse.tensor import SparseTensor
            >>> coo = torch.eye(3).reshape(1, 3, 3, 1).to_sparse(3)
            >>> SparseTensor.from_torch(coo)
            SparseTensor(Grid(3 cells, spatial_shape=(3, 3), batch_size=1), 1 channels)
            >>> SparseTensor.from_torch(torch.eye(3).to_sparse_csr())
            SparseTensor(Grid(3 cells, spatial_shape=(3, 3), batch_size=1), 1 channels)
        """
        coords, feats, shape = from_torch_sparse(sparse)
        return cls(Grid(coords, shape[1:], shape[0], trusted=True), feats)

    def to_scipy(self) -> csr_matrix:
        """Return a SciPy matrix of one sample, two axes and one channel.

        Returns:
            A CSR matrix of shape `spatial_shape`; float16 and bfloat16 become float32.

        Raises:
            InputError: If there are more samples, axes or channels.

        Example:
            >>> from recsparse.sparse.tensor import SparseTensor
            >>> SparseTensor.from_dense(torch.eye(2)[None, None]).to_scipy().toarray().tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        if (self.batch_size, len(self.spatial_shape), self.num_channels) != (1, 2, 1):
            raise InputError(
                "to_scipy needs one sample, two axes and one channel, but got "
                f"{self.batch_size}, {len(self.spatial_shape)} and {self.num_channels}"
            )
        _, row, column = self.coords.T.cpu().numpy()
        values = widened(self.feats[:, 0]).detach().cpu().numpy()  # SciPy has no 16 bits
        return coo_matrix((values, (row, column)), shape=self.spatial_shape).tocsr()

    @classmethod
    def from_scipy(cls: type[Cells], matrix: Any) -> Cells:
        """Read a SciPy matrix as one sample with one channel; explicit zeros stay active cells.

        Args:
            matrix: Any two-dimensional SciPy sparse matrix or array, in any order; duplicates are
                summed, integers become torch's default float.

        Returns:
            The sparse tensor.

        Raises:
            InputTypeError: If the numbers are complex or no numbers.
            InputError: If its indices contradict each other or its shape.

        Example:
            >>> from recsparse.sparse.tensor import SparseTensor
            >>> SparseTensor.from_scipy(csr_matrix([[0, 7], [0, 0]])).coords.tolist()
            [[0, 0, 1]]
        """
        coords, feats, shape = from_scipy_sparse(matrix)
        return cls(Grid(coords, shape, 1, trusted=True), feats)

    def to_tensorflow(self) -> Any:
        """Return a `tf.sparse.SparseTensor` that stores every channel of every active cell.

        Returns:
            Shape (batch, *spatial_shape, channels), in row-major order.

        Raises:
            MissingPackageError: If tensorflow is not installed.
        """
        shape = (self.batch_size, *self.spatial_shape, self.num_channels)
        return to_tf_sparse(self.coords, self.feats, shape)

    @classmethod
    def from_tensorflow(cls: type[Cells], sparse: Any) -> Cells:
        """Read a `tf.sparse.SparseTensor`; a cell is active where any of its channels is stored.

        Args:
            sparse: Shape (batch, *spatial_shape, channels); integers become torch's default float.

        Returns:
            The sparse tensor.

        Raises:
            InputError: If it has fewer than three dimensions.
        """
        coords, feats, shape = from_tf_sparse(sparse)
        return cls(Grid(coords, shape[1:-1], shape[0], trusted=True), feats)
