"""What layers over windows without weights have in common: the window and how it is shown."""

from typing import ClassVar

from torch import nn

from recsparse.sparse.kernel import Kernel, OneOrMany


class WindowLayer(nn.Module):
    """The window of a pooling in a fixed number of axes.

    Args:
        kernel_size: One number, or one an axis.
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
