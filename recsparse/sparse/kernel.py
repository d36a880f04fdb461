"""Kernel: the window of a convolution, as integers per axis, and the shapes that it leads to."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from operator import index
from typing import SupportsIndex

from recsparse.errors import InputError, InputTypeError

# Integers of numpy and torch are taken wherever Python's are; floats, also whole ones, nowhere.
OneOrMany = SupportsIndex | Sequence[SupportsIndex]


def whole_number(name: str, value: SupportsIndex) -> int:
    """Return a setting as Python's integer.

    Args:
        name: What the value is, for the message.
        value: Any integer: Python's, numpy's, or a tensor of one.

    Returns:
        The number.

    Raises:
        InputTypeError: If it is no integer.

    Example:
        >>> import numpy as np
        >>> whole_number("groups", np.int64(2))
        2
    """
    try:
        return index(value)
    except TypeError as error:
        raise InputTypeError(f"{name} must be an integer, but got {_shown(value)}") from error


def one_an_axis(name: str, value: OneOrMany, num_axes: int) -> tuple[int, ...]:
    """Return one integer per axis.

    Args:
        name: What the value is, for the message.
        value: One number for all axes, or one for each.
        num_axes: Number of axes.

    Returns:
        The numbers.

    Raises:
        InputTypeError: If one of them is no integer.
        InputError: If there are more or fewer than axes.

    Example:
        >>> one_an_axis("stride", 2, 3)
        (2, 2, 2)
    """
    try:
        given = tuple(value)  # type: ignore[arg-type]
    except TypeError:  # one number; a tensor of one has a length as well
        given = (value,) * num_axes  # type: ignore[assignment]
    try:
        values = tuple(map(index, given))
    except TypeError as error:
        raise InputTypeError(
            f"{name} must be one integer, or one for each of {num_axes} axes, but got "
            f"{_shown(value)}"
        ) from error
    if len(values) != num_axes:
        raise InputError(f"{name} must have one entry for each of {num_axes} axes, but got {value}")
    return values


def _shown(value: object) -> str:
    cure = f"; mend it by int({value})" if isinstance(value, float) and value.is_integer() else ""
    return f"{value!r}{cure}"


@dataclass(frozen=True)
class Kernel:
    """The window of a convolution: output cell `o` and tap `t` read input cell `i`, axis by axis.

    `i = stride · o − padding + dilation · t`, as in torch's convolutions.

    Attributes:
        size: Number of taps on each axis.
        stride: Distance of the windows of neighbouring outputs.
        padding: How far the first window reaches out of the grid; on both sides of an axis.
        dilation: Distance between taps.

    Example:
        >>> kernel = Kernel(size=(3,), stride=(2,), padding=(1,), dilation=(1,))
        >>> list(kernel.taps()), kernel.out_shape((8,)), kernel.transposed_out_shape((4,), (1,))
        ([(0,), (1,), (2,)], (4,), (8,))
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.size) == len(self.stride) == len(self.padding) == len(self.dilation) > 0:
            raise InputError(
                f"a kernel must have one entry per axis in each setting, but got {self}"
            )
        for name, least in (("size", 1), ("stride", 1), ("dilation", 1), ("padding", 0)):
            values = getattr(self, name)
            if min(values) < least:
                shown = "kernel_size" if name == "size" else name
                raise InputError(f"{shown} must be at least {least} on each axis, but got {values}")

    @classmethod
    def of(
        cls,
        num_axes: int,
        size: OneOrMany,
        stride: OneOrMany = 1,
        padding: OneOrMany = 0,
        dilation: OneOrMany = 1,
    ) -> "Kernel":
        """Make a kernel of settings that are one number or one per axis.

        Args:
            num_axes: Number of axes.
            size: Number of taps.
            stride: Distance of windows.
            padding: Reach out of the grid.
            dilation: Distance between taps.

        Returns:
            The kernel.

        Example:
            >>> Kernel.of(2, 3, padding=(1, 0)).out_shape((5, 5))
            (5, 3)
        """
        return cls(
            one_an_axis("kernel_size", size, num_axes),
            one_an_axis("stride", stride, num_axes),
            one_an_axis("padding", padding, num_axes),
            one_an_axis("dilation", dilation, num_axes),
        )

    @classmethod
    def centred(cls, size: Sequence[SupportsIndex], dilation: Sequence[SupportsIndex]) -> "Kernel":
        """Make the kernel of a submanifold convolution, whose middle tap is the cell itself.

        Args:
            size: Odd number of taps on each axis.
            dilation: Distance between taps.

        Returns:
            A kernel of stride 1.

        Raises:
            InputError: If a size is even or not positive, or a dilation is not positive.
        """
        size, dilation = (
            one_an_axis(name, setting, len(size))
            for name, setting in (("kernel_size", size), ("dilation", dilation))
        )
        if any(number < 1 or number % 2 == 0 for number in size):
            raise InputError(
                "a submanifold kernel must be odd on each axis, so that it has a centre, but got "
                f"{size}; use the next odd size"
            )
        # A wrong dilation must not turn up as a wrong padding.
        padding = (
            max(step, 0) * (number // 2) for step, number in zip(dilation, size, strict=True)
        )
        return cls(size, (1,) * len(size), tuple(padding), dilation)

    def along_last(self, num_axes: int) -> "Kernel":
        """Return the kernel of one axis laid along the last of several, a single tap on the others.

        Args:
            num_axes: Number of axes.

        Returns:
            A kernel of as many taps.

        Example:
            >>> Kernel.of(1, 3, padding=2).along_last(2).padding
            (0, 2)
        """
        others = num_axes - self.num_axes
        return Kernel(
            (1,) * others + self.size,
            (1,) * others + self.stride,
            (0,) * others + self.padding,
            (1,) * others + self.dilation,
        )

    @property
    def num_axes(self) -> int:
        """Number of axes."""
        return len(self.size)

    @property
    def num_taps(self) -> int:
        """Number of taps."""
        return prod(self.size)

    def as_lists(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Return the settings as torch's operators take them.

        Returns:
            Size, stride, padding and dilation.
        """
        return list(self.size), list(self.stride), list(self.padding), list(self.dilation)

    def taps(self) -> Iterator[tuple[int, ...]]:
        """Return the taps in row-major order, the order of torch's weights.

        Returns:
            One integer per axis, from 0, for each tap.
        """
        return itertools.product(*map(range, self.size))

    def out_shape(self, in_shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of a convolution's output.

        Args:
            in_shape: Size of each axis of the input.

        Returns:
            `floor((in + 2 padding − dilation (size − 1) − 1) / stride) + 1`, at least 0.

        Raises:
            InputError: If the number of axes differs.
        """
        self.check_axes(in_shape)
        rows = zip(in_shape, self.size, self.stride, self.padding, self.dilation, strict=True)
        return tuple(
            max((into + 2 * pad - step * (size - 1) - 1) // stride + 1, 0)
            for into, size, stride, pad, step in rows
        )

    def transposed_out_shape(
        self, in_shape: Sequence[int], output_padding: Sequence[int]
    ) -> tuple[int, ...]:
        """Return the shape of a transposed convolution's output.

        Args:
            in_shape: Size of each axis of the input.
            output_padding: Added at the end of each axis, to choose among the possible shapes.

        Returns:
            `(in − 1) stride − 2 padding + dilation (size − 1) + output_padding + 1`, at least 0.

        Raises:
            InputError: If the number of axes differs.
        """
        self.check_axes(in_shape)
        rows = zip(
            in_shape,
            self.size,
            self.stride,
            self.padding,
            self.dilation,
            output_padding,
            strict=True,
        )
        return tuple(
            max((into - 1) * stride - 2 * pad + step * (size - 1) + more + 1, 0) if into else 0
            for into, size, stride, pad, step, more in rows
        )

    def check_axes(self, spatial_shape: Sequence[int]) -> None:
        """Raise an error unless the kernel has the axes of a grid.

        Args:
            spatial_shape: Size of each axis of the grid.

        Raises:
            InputError: If the number of axes differs.
        """
        if len(spatial_shape) != self.num_axes:
            raise InputError(
                f"kernel_size must have one entry for each of {len(spatial_shape)} axes of the "
                f"grid, but got {self.size}"
            )
