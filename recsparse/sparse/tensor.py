"""SparseTensor: features on the active cells of a grid; cells and values are apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix, csr_matrix
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import check_coords, ravel_coords
from recsparse.sparse.grid import Grid
from recsparse.sparse.tensorflow import from_tf_sparse, to_tf_sparse


@dataclass(frozen=True, eq=False, repr=False)
class SparseTensor:
    """Features on the active cells of a grid; every other cell is zero.

    Attributes:
        grid: The cells.
        feats: One row of channels a cell; another number of rows raises `InputError`.
    """

    grid: Grid
    feats: Float[Tensor, "n c"]

    def __post_init__(self) -> None:
        if len(self.feats) != self.grid.num_cells:
            raise InputError(
                f"feats must have one row a cell, but got {len(self.feats)} rows for "
                f"{self.grid.num_cells} cells"
            )

    @property
    def coords(self) -> Int[Tensor, "n d_1"]:
        """One row a cell: the sample, then one coordinate an axis."""
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

    def with_feats(self, feats: Float[Tensor, "n c"]) -> "SparseTensor":
        """Return other features on the same grid.

        Args:
            feats: One row a cell.

        Returns:
            A tensor that shares the grid and its kernel maps.
        """
        return SparseTensor(self.grid, feats)

    def select(self, mask: Bool[Tensor, " n"]) -> "SparseTensor":
        """Return some of the cells with their features.

        Args:
            mask: True for the cells to keep.

        Returns:
            A tensor on a smaller grid of the same shape.
        """
        return SparseTensor(self.grid.select(mask), self.feats[mask])

    def to(self, device_or_dtype: torch.device | torch.dtype | str) -> "SparseTensor":
        """Return the tensor on a device, or with features of a type.

        Args:
            device_or_dtype: Where or what to.

        Returns:
            The converted tensor.
        """
        feats = self.feats.to(device_or_dtype)
        return SparseTensor(self.grid.to(feats.device), feats)

    def to_dense(self) -> Tensor:
        """Return the dense tensor.

        Returns:
            Shape (batch, channels, *spatial_shape).
        """
        dense = self.feats.new_zeros(self.batch_size, *self.spatial_shape, self.num_channels)
        return dense.index_put(tuple(self.coords.T), self.feats).movedim(-1, 1)

    @classmethod
    def from_dense(cls, dense: Tensor) -> "SparseTensor":
        """Return the cells of a dense tensor that have any non-zero channel.

        Args:
            dense: Shape (batch, channels, *spatial_shape); integers become torch's default float.

        Returns:
            The sparse tensor.

        Raises:
            InputError: If it has no spatial axis.
        """
        if dense.ndim < 3:
            raise InputError(
                f"from_dense needs (batch, channels, *spatial_shape), but got {tuple(dense.shape)}"
            )
        last = dense.movedim(1, -1)
        coords = (last != 0).any(dim=-1).nonzero()
        grid = Grid(coords, tuple(dense.shape[2:]), dense.shape[0])
        return cls(grid, _as_float(last[tuple(coords.T)]))

    def to_torch(self) -> Tensor:
        """Return a hybrid `torch.sparse_coo` tensor.

        Returns:
            Shape (batch, *spatial_shape, channels), the channels dense, coalesced.
        """
        shape = (self.batch_size, *self.spatial_shape, self.num_channels)
        return torch.sparse_coo_tensor(
            self.coords.T, self.feats, shape, is_coalesced=True, check_invariants=False
        )

    @classmethod
    def from_torch(cls, coo: Tensor) -> "SparseTensor":
        """Read a hybrid `torch.sparse_coo` tensor; cells that occur twice are summed.

        Args:
            coo: Shape (batch, *spatial_shape, channels) with one dense dimension; integers become
                torch's default float.

        Returns:
            The sparse tensor.

        Raises:
            InputError: If it is not sparse_coo with exactly one dense dimension, or has no axis.
        """
        if coo.layout != torch.sparse_coo or coo.dense_dim() != 1 or coo.sparse_dim() < 2:
            raise InputError(
                "from_torch needs a sparse_coo tensor (batch, *spatial_shape, channels) with one "
                f"dense dimension, the channels, but got {coo.layout} of shape {tuple(coo.shape)}; "
                "mend it by x.to_dense().to_sparse(x.ndim - 1)"
            )
        coo = coo.coalesce()
        grid = Grid(coo.indices().T.contiguous(), tuple(coo.shape[1:-1]), coo.shape[0])
        return cls(grid, _as_float(coo.values()))

    def to_scipy(self) -> csr_matrix:
        """Return a SciPy matrix of one sample, two axes and one channel.

        Returns:
            A CSR matrix of shape `spatial_shape`.

        Raises:
            InputError: If there are more samples, axes or channels.
        """
        if (self.batch_size, len(self.spatial_shape), self.num_channels) != (1, 2, 1):
            raise InputError(
                "to_scipy needs one sample, two axes and one channel, but got "
                f"{self.batch_size}, {len(self.spatial_shape)} and {self.num_channels}"
            )
        _, row, column = self.coords.T.cpu().numpy()
        values = self.feats[:, 0].detach().cpu().numpy()
        return coo_matrix((values, (row, column)), shape=self.spatial_shape).tocsr()

    @classmethod
    def from_scipy(cls, matrix: Any) -> "SparseTensor":
        """Read a SciPy matrix as one sample with one channel; explicit zeros stay active cells.

        Args:
            matrix: Any two-dimensional SciPy sparse matrix; duplicates are summed, integers become
                torch's default float.

        Returns:
            The sparse tensor.
        """
        csr = csr_matrix(matrix, copy=True)
        csr.sum_duplicates()
        coo = csr.tocoo(copy=False)
        coords = torch.zeros(coo.nnz, 3, dtype=torch.int64)
        coords[:, 1] = torch.from_numpy(coo.row)
        coords[:, 2] = torch.from_numpy(coo.col)
        values = _as_float(torch.from_numpy(coo.data))
        return cls(Grid(coords, tuple(csr.shape), 1), values.unsqueeze(1))

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
    def from_tensorflow(cls, sparse: Any) -> "SparseTensor":
        """Read a `tf.sparse.SparseTensor`; a cell is active where any of its channels is stored.

        Args:
            sparse: Shape (batch, *spatial_shape, channels); integers become torch's default float.

        Returns:
            The sparse tensor.

        Raises:
            InputError: If it has fewer than three dimensions.
        """
        coords, feats, shape = from_tf_sparse(sparse)
        return cls(Grid(coords, shape[1:-1], shape[0]), _as_float(feats))

    def __repr__(self) -> str:
        return f"SparseTensor({self.grid!r}, {self.num_channels} channels)"


def sparse_tensor(
    coords: Int[Tensor, "n d_1"],
    feats: Float[Tensor, "n c"],
    spatial_shape: Sequence[int],
    batch_size: int,
) -> SparseTensor:
    """Make a sparse tensor of cells in any order.

    Args:
        coords: One row a cell: the sample, then one coordinate an axis.
        feats: The channels of each cell.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.

    Returns:
        The tensor; its cells are sorted by sample and coordinate.

    Raises:
        InputError: If a coordinate is outside the grid or a cell occurs twice.

    Example:
        >>> coords = torch.tensor([[0, 2, 1], [0, 0, 0]])
        >>> sparse_tensor(coords, torch.ones(2, 1), (3, 3), 1).coords.tolist()
        [[0, 0, 0], [0, 2, 1]]
    """
    check_coords(coords, spatial_shape, batch_size)
    if len(coords) != len(feats):
        raise InputError(
            f"coords and feats must agree, but got {len(coords)} and {len(feats)} rows"
        )
    keys, order = ravel_coords(coords, spatial_shape).sort(stable=True)
    twice = (keys[1:] == keys[:-1]).nonzero().flatten()
    if len(twice):
        first, second = order[twice[0]], order[twice[0] + 1]
        raise InputError(
            f"each cell must occur once, but {len(twice)} rows repeat one; the first are "
            f"coords[{int(first)}] and coords[{int(second)}] = {coords[first].tolist()}; sum them "
            "with recsparse.sparse.coords.coalesce"
        )
    return SparseTensor(Grid(coords[order].long(), tuple(spatial_shape), batch_size), feats[order])


def cat(tensors: Sequence[SparseTensor]) -> SparseTensor:
    """Concatenate batches.

    Args:
        tensors: At least one tensor, all of one spatial shape and number of channels.

    Returns:
        A tensor whose samples are those of the first, then of the second, and so on.

    Raises:
        InputError: If there is no tensor, or the spatial shapes or channels differ.
    """
    kinds = {(x.spatial_shape, x.num_channels) for x in tensors}
    if len(kinds) != 1:
        raise InputError(
            "cat needs tensors of one spatial shape and number of channels, but got "
            f"{sorted(kinds) or 'no tensor'}"
        )
    coords, first_sample = [], 0
    for x in tensors:
        moved = x.coords.clone()
        moved[:, 0] += first_sample
        coords.append(moved)
        first_sample += x.batch_size
    grid = Grid(torch.cat(coords), tensors[0].spatial_shape, first_sample)
    return SparseTensor(grid, torch.cat([x.feats for x in tensors]))


def _as_float(values: Tensor) -> Tensor:
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())
