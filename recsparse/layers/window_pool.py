"""Pooling of the active cells of each window: maximum and average."""

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from recsparse.errors import InputError
from recsparse.layers.window import WindowPool
from recsparse.sparse.kernel import OneOrMany
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pool_windows import window_max, window_mean

Divisor = Literal["active", "kernel"]


class _MaxPool(WindowPool):
    def pool(self, feats: Float[Tensor, "n c"], kernel_map: KernelMap) -> Float[Tensor, "m c"]:
        return window_max(feats, kernel_map)


class SparseMaxPool1d(_MaxPool):
    """Maximum over the active cells of each window of one axis (Graham 2014).

    `out[o, c] = max over the active cells i in the window of o: x[i, c]`
    (https://arxiv.org/abs/1409.6070). Empty cells are never seen: a window of negative values gives
    a negative maximum, where dense pooling would take the zero next to them. Where all cells are
    active it equals `torch.nn.MaxPool1d`, NaN and the gradient of equal values (all of it to the
    first) included.

    Shapes:
        Input (n, c), output (m, c) on the cells and axes of `SparseConv1d` with this window.

    Args:
        kernel_size: One number, or one per axis.
        stride: Distance of the windows of neighbouring outputs; None for the kernel size.
        padding: Reach of the first window out of the grid.
        dilation: Distance between taps.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0, 3.0]]]))
        >>> SparseMaxPool1d(2)(x).feats.tolist()
        [[-1.0], [3.0]]
    """

    num_axes = 1


class SparseMaxPool2d(_MaxPool):
    """Maximum over the active cells of each window of two axes, as `SparseMaxPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[[3.0, 0.0], [4.0, 0.0]]]]))
        >>> SparseMaxPool2d(2)(x).feats.item()
        4.0
    """

    num_axes = 2


class SparseMaxPool3d(_MaxPool):
    """Maximum over the active cells of each window of three axes, as `SparseMaxPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 8, 4, 4, 6))
        >>> SparseMaxPool3d((2, 2, 3))(x).to_dense().shape
        torch.Size([1, 8, 2, 2, 2])
    """

    num_axes = 3


class SparseMaxPool4d(_MaxPool):
    """Maximum over the active cells of each window of four axes, as `SparseMaxPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SparseMaxPool4d(2)(x).feats.item()
        1.0
    """

    num_axes = 4


class _AvgPool(WindowPool):
    def __init__(
        self,
        kernel_size: OneOrMany,
        stride: OneOrMany | None = None,
        padding: OneOrMany = 0,
        dilation: OneOrMany = 1,
        divisor: Divisor = "active",
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation)
        if divisor not in get_args(Divisor):
            raise InputError(f"divisor must be 'active' or 'kernel', but got {divisor!r}")
        self.divisor = divisor

    def pool(self, feats: Float[Tensor, "n c"], kernel_map: KernelMap) -> Float[Tensor, "m c"]:
        num_taps = self.kernel.num_taps if self.divisor == "kernel" else None
        return window_mean(feats, kernel_map, num_taps)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, divisor={self.divisor!r}"


class SparseAvgPool1d(_AvgPool):
    """Average over the active cells of each window of one axis.

    `out[o, c] = sum over the active cells i in the window of o: x[i, c] / divisor`. The divisor
    `active` is the number of these cells. The divisor `kernel` is the number of taps, which counts
    empty cells and padding as zeros: then the result equals `torch.nn.functional.avg_pool1d` of
    the dense tensor at the output cells.

    Shapes:
        Input (n, c), output (m, c) on the cells and axes of `SparseConv1d` with this window.

    Args:
        kernel_size: One number, or one per axis.
        stride: Distance of the windows of neighbouring outputs; None for the kernel size.
        padding: Reach of the first window out of the grid.
        dilation: Distance between taps.
        divisor: What the sum is divided by.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[4.0, 0.0, 2.0, 3.0]]]))
        >>> SparseAvgPool1d(2)(x).feats.tolist()
        [[4.0], [2.5]]
        >>> SparseAvgPool1d(2, divisor="kernel")(x).feats.tolist()
        [[2.0], [2.5]]
    """

    num_axes = 1


class SparseAvgPool2d(_AvgPool):
    """Average over the active cells of each window of two axes, as `SparseAvgPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[[3.0, 0.0], [4.0, 0.0]]]]))
        >>> SparseAvgPool2d(2)(x).feats.item()
        3.5
    """

    num_axes = 2


class SparseAvgPool3d(_AvgPool):
    """Average over the active cells of each window of three axes, as `SparseAvgPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 8, 4, 4, 6))
        >>> SparseAvgPool3d((2, 2, 3))(x).to_dense().shape
        torch.Size([1, 8, 2, 2, 2])
    """

    num_axes = 3


class SparseAvgPool4d(_AvgPool):
    """Average over the active cells of each window of four axes, as `SparseAvgPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SparseAvgPool4d(2)(x).feats.item()
        1.0
    """

    num_axes = 4
