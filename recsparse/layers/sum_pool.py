"""Pooling of the active cells of each window: sum and p-norm."""

from jaxtyping import Float
from torch import Tensor

from recsparse.layers.window import WindowPool
from recsparse.sparse.kernel import OneOrMany
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pool_windows import window_lp, window_sum
from recsparse.sparse.pooling import check_norm_type


class _SumPool(WindowPool):
    def pool(self, feats: Float[Tensor, "n c"], kernel_map: KernelMap) -> Float[Tensor, "m c"]:
        return window_sum(feats, kernel_map)


class SparseSumPool1d(_SumPool):
    """Sum over the active cells of each window of one axis.

    `out[o, c] = sum over the active cells i in the window of o: x[i, c]`, which equals the sum over
    the window of the dense tensor.

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
        >>> x = SparseTensor.from_dense(torch.tensor([[[4.0, 0.0, 2.0, 3.0]]]))
        >>> SparseSumPool1d(2)(x).feats.tolist()
        [[4.0], [5.0]]
    """

    num_axes = 1


class SparseSumPool2d(_SumPool):
    """Sum over the active cells of each window of two axes, as `SparseSumPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[[3.0, 0.0], [4.0, 0.0]]]]))
        >>> SparseSumPool2d(2)(x).feats.item()
        7.0
    """

    num_axes = 2


class SparseSumPool3d(_SumPool):
    """Sum over the active cells of each window of three axes, as `SparseSumPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 8, 4, 4, 6))
        >>> SparseSumPool3d((2, 2, 3))(x).to_dense().shape
        torch.Size([1, 8, 2, 2, 2])
    """

    num_axes = 3


class SparseSumPool4d(_SumPool):
    """Sum over the active cells of each window of four axes, as `SparseSumPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SparseSumPool4d(2)(x).feats.item()
        16.0
    """

    num_axes = 4


class _LPPool(WindowPool):
    def __init__(
        self,
        norm_type: float,
        kernel_size: OneOrMany,
        stride: OneOrMany | None = None,
        padding: OneOrMany = 0,
        dilation: OneOrMany = 1,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation)
        check_norm_type(norm_type)
        self.norm_type = norm_type

    def pool(self, feats: Float[Tensor, "n c"], kernel_map: KernelMap) -> Float[Tensor, "m c"]:
        return window_lp(feats, kernel_map, self.norm_type)

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, {super().extra_repr()}"


class SparseLPPool1d(_LPPool):
    """p-norm over the active cells of each window of one axis, as `torch.nn.LPPool1d`.

    `out[o, c] = (sum over the active cells i in the window of o: x[i, c]^p)^(1/p)`, without
    absolute values, as torch has it: for an odd p a negative sum gives NaN. Where the sum is 0 the
    gradient is 0. Sermanet et al. 2012 (https://arxiv.org/abs/1204.3968) compare such exponents.

    Shapes:
        Input (n, c), output (m, c) on the cells and axes of `SparseConv1d` with this window.

    Args:
        norm_type: The exponent `p`, positive.
        kernel_size: One number, or one per axis.
        stride: Distance of the windows of neighbouring outputs; None for the kernel size.
        padding: Reach of the first window out of the grid.
        dilation: Distance between taps.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[3.0, 4.0, 0.0, 2.0]]]))
        >>> SparseLPPool1d(2.0, 2)(x).feats.tolist()
        [[5.0], [2.0]]
    """

    num_axes = 1


class SparseLPPool2d(_LPPool):
    """p-norm over the active cells of each window of two axes, as `SparseLPPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.tensor([[[[3.0, 0.0], [4.0, 0.0]]]]))
        >>> SparseLPPool2d(2.0, 2)(x).feats.item()
        5.0
    """

    num_axes = 2


class SparseLPPool3d(_LPPool):
    """p-norm over the active cells of each window of three axes, as `SparseLPPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 8, 4, 4, 6))
        >>> SparseLPPool3d(2.0, (2, 2, 3))(x).to_dense().shape
        torch.Size([1, 8, 2, 2, 2])
    """

    num_axes = 3


class SparseLPPool4d(_LPPool):
    """p-norm over the active cells of each window of four axes, as `SparseLPPool1d`.

    Example:
        >>> import torch
        >>> from recsparse.sparse.tensor import SparseTensor
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SparseLPPool4d(2.0, 2)(x).feats.item()
        4.0
    """

    num_axes = 4
