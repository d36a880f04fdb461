"""Unpooling: from the output cells of a pooling back to its input cells."""

from recsparse.errors import InputError
from recsparse.layers.window import WindowLayer
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pool_windows import spread_to_winners, window_mean
from recsparse.sparse.tensor import SparseTensor


class _Unpool(WindowLayer):
    """The way back along the kernel map of a pooling; the public classes fix the axes."""

    def map_of_pooling(self, x: SparseTensor, like: SparseTensor) -> KernelMap:
        """Return the kernel map of the pooling that led from `like` to the grid of `x`.

        Args:
            x: A tensor on the coarse grid.
            like: A tensor on the fine grid.

        Returns:
            The map from fine to coarse cells.

        Raises:
            InputError: If `like` is no tensor that this kernel takes to the grid of `x`.
        """
        self.kernel.check_axes(x.spatial_shape)
        try:
            return like.grid.map_onto(x.grid, self.kernel)
        except InputError as error:
            raise InputError(
                f"{self} needs as `like` the finer tensor from which its input came: {error}"
            ) from error


class _SparseUnpool(_Unpool):
    def forward(self, x: SparseTensor, like: SparseTensor) -> SparseTensor:
        """Copy every coarse cell to the cells of its window.

        Args:
            x: Features (m, c) on the coarse grid.
            like: A tensor on the fine grid; its features are not read.

        Returns:
            Features (n, c) on the grid of `like`.
        """
        kernel_map = self.map_of_pooling(x, like)
        return like.with_feats(window_mean(x.feats, kernel_map.transpose()))


class _SparseMaxUnpool(_Unpool):
    def forward(self, x: SparseTensor, like: SparseTensor) -> SparseTensor:
        """Put every coarse value where its window's maximum is.

        Args:
            x: Features (m, c) on the coarse grid.
            like: The tensor that was pooled, features (n, c).

        Returns:
            Features (n, c) on the grid of `like`.

        Raises:
            InputError: If the two have other channels.
        """
        if x.num_channels != like.num_channels:
            raise InputError(
                f"{self} needs `like` of {x.num_channels} channels, those of its input, but got "
                f"{like.num_channels}"
            )
        kernel_map = self.map_of_pooling(x, like)
        return like.with_feats(spread_to_winners(x.feats, like.feats, kernel_map))


class SparseUnpool1d(_SparseUnpool):
    """Coarse cells of one axis copied to the cells of a finer tensor.

    `out[i, c] = mean over the active coarse cells o whose window holds i: x[o, c]`: a copy of its
    one coarse cell where windows do not overlap, and zero where there is none. It undoes the change
    of grid of the pooling or `SparseConv1d` of the same window.

    Shapes:
        Input (m, c) on the coarse grid, output (n, c) on the grid of `like`.

    Args:
        kernel_size: That of the layer undone; one number, or one per axis.
        stride: That of the layer undone; None for the kernel size.
        padding: That of the layer undone.
        dilation: That of the layer undone.

    Example:
        >>> import torch
        >>> from recsparse.layers.sum_pool import SparseSumPool1d
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 3.0, 4.0]]]))
        >>> coarse = SparseSumPool1d(2)(x)
        >>> SparseUnpool1d(2)(coarse, x).to_dense().tolist()
        [[[1.0, 0.0, 7.0, 7.0]]]
    """

    num_axes = 1


class SparseUnpool2d(_SparseUnpool):
    """Coarse cells of two axes copied to the cells of a finer tensor, as `SparseUnpool1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.window_pool import SparseMaxPool2d
        >>> x = SparseTensor.from_dense(torch.tensor([[[[3.0, 0.0], [0.0, 4.0]]]]))
        >>> SparseUnpool2d(2)(SparseMaxPool2d(2)(x), like=x).feats.flatten().tolist()
        [4.0, 4.0]
    """

    num_axes = 2


class SparseUnpool3d(_SparseUnpool):
    """Coarse cells of three axes copied to the cells of a finer tensor, as `SparseUnpool1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.window_pool import SparseMaxPool3d
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2))
        >>> SparseUnpool3d(2)(SparseMaxPool3d(2)(x), like=x).feats.sum().item()
        8.0
    """

    num_axes = 3


class SparseUnpool4d(_SparseUnpool):
    """Coarse cells of four axes copied to the cells of a finer tensor, as `SparseUnpool1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.window_pool import SparseMaxPool4d
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SparseUnpool4d(2)(SparseMaxPool4d(2)(x), like=x).feats.sum().item()
        16.0
    """

    num_axes = 4


class SparseMaxUnpool1d(_SparseMaxUnpool):
    """Coarse values of one axis put where the maxima of their windows were, zero elsewhere.

    `out[i, c] = sum over the windows o in which i holds the maximum of channel c: x[o, c]`, the
    transpose of `SparseMaxPool1d` of the same window (Zeiler and Fergus 2014,
    https://arxiv.org/abs/1311.2901, section 2.1). The winners are found anew in the features of
    `like`, channel by channel; a cell that won several overlapping windows gets their sum. Without
    overlap it equals `torch.nn.MaxUnpool1d`.

    Shapes:
        Input (m, c) on the coarse grid, `like` (n, c), output (n, c) on the grid of `like`.

    Args:
        kernel_size: That of the pooling; one number, or one per axis.
        stride: That of the pooling; None for the kernel size.
        padding: That of the pooling.
        dilation: That of the pooling.

    Example:
        >>> import torch
        >>> from recsparse.layers.sum_pool import SparseSumPool1d
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 3.0, 4.0]]]))
        >>> coarse = SparseSumPool1d(2)(x)
        >>> SparseMaxUnpool1d(2)(coarse, x).to_dense().tolist()
        [[[1.0, 0.0, 0.0, 7.0]]]
    """

    num_axes = 1


class SparseMaxUnpool2d(_SparseMaxUnpool):
    """Coarse values of two axes put where their maxima were, as `SparseMaxUnpool1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.window_pool import SparseMaxPool2d
        >>> x = SparseTensor.from_dense(torch.tensor([[[[3.0, 0.0], [0.0, 4.0]]]]))
        >>> SparseMaxUnpool2d(2)(SparseMaxPool2d(2)(x), like=x).feats.flatten().tolist()
        [0.0, 4.0]
    """

    num_axes = 2


class SparseMaxUnpool3d(_SparseMaxUnpool):
    """Coarse values of three axes put where their maxima were, as `SparseMaxUnpool1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.window_pool import SparseMaxPool3d
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2))
        >>> SparseMaxUnpool3d(2)(SparseMaxPool3d(2)(x), like=x).feats.sum().item()
        1.0
    """

    num_axes = 3


class SparseMaxUnpool4d(_SparseMaxUnpool):
    """Coarse values of four axes put where their maxima were, as `SparseMaxUnpool1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.window_pool import SparseMaxPool4d
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SparseMaxUnpool4d(2)(SparseMaxPool4d(2)(x), like=x).feats.sum().item()
        1.0
    """

    num_axes = 4
