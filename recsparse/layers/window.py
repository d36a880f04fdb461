"""What layers over windows without weights have in common, and how they are shown."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from recsparse.sparse.kernel import Kernel, OneOrMany
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.tensor import SparseTensor


class WindowLayer(nn.Module):
    """The window of a pooling in a fixed number of axes.

    Args:
        kernel_size: One number, or one per axis.
        stride: Distance of the windows of neighbouring outputs; None for the kernel size.
        padding: Reach of the first window out of the grid.
        dilation: Distance between taps.
    """

    num_axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: OneOrMany,
        stride: OneOrMany | None = None,
        padding: OneOrMany = 0,
        dilation: OneOrMany = 1,
    ) -> None:
        super().__init__()
        stride = kernel_size if stride is None else stride
        self.kernel = Kernel.of(self.num_axes, kernel_size, stride, padding, dilation)

    def extra_repr(self) -> str:
        """Return the window for `print(layer)`.

        Returns:
            Its settings.
        """
        kernel = self.kernel
        return (
            f"kernel_size={kernel.size}, stride={kernel.stride}, padding={kernel.padding}, "
            f"dilation={kernel.dilation}"
        )


class WindowPool(WindowLayer):
    """Pooling onto the cells whose window holds an active cell, as those of `SparseConv1d`."""

    def pool(self, feats: Float[Tensor, "n c"], kernel_map: KernelMap) -> Float[Tensor, "m c"]:
        """Pool the active cells of each window.

        Args:
            feats: Features of the input cells.
            kernel_map: Which of them lie in the window of which output cell.

        Returns:
            Features of the output cells.
        """
        raise NotImplementedError

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Pool onto every cell whose window holds an active cell.

        Args:
            x: Features (n, c) on a grid with as many axes as the layer.

        Returns:
            Features (m, c) on the output cells.
        """
        self.kernel.check_axes(x.spatial_shape)
        out = x.grid.conv_grid(self.kernel)
        return SparseTensor(out, self.pool(x.feats, x.grid.map_onto(out, self.kernel)))
