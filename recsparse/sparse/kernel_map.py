"""Kernel maps: which input cell meets which output cell under which tap of a kernel."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import find_keys, ravel_coords


@dataclass(frozen=True)
class KernelMap:
    """Pairs of cells, grouped by tap; taps are in the row-major order of the kernel.

    Attributes:
        in_index: The input cell of each pair.
        out_index: The output cell of each pair; under one tap each occurs at most once.
        tap_ptr: Tap t owns the pairs `tap_ptr[t]` to `tap_ptr[t + 1] - 1`.
        num_in: Number of input cells.
        num_out: Number of output cells.
    """

    in_index: Int[Tensor, " pairs"]
    out_index: Int[Tensor, " pairs"]
    tap_ptr: tuple[int, ...]
    num_in: int
    num_out: int

    @property
    def num_taps(self) -> int:
        """Number of taps of the kernel."""
        return len(self.tap_ptr) - 1

    def tap(self, number: int) -> tuple[Int[Tensor, " some"], Int[Tensor, " some"]]:
        """Return the pairs of one tap.

        Args:
            number: The tap.

        Returns:
            Input cells and output cells.
        """
        pairs = slice(self.tap_ptr[number], self.tap_ptr[number + 1])
        return self.in_index[pairs], self.out_index[pairs]

    def is_identity(self, number: int) -> bool:
        """Say whether a tap maps every cell to itself, as the centre of a submanifold kernel does.

        Args:
            number: The tap.

        Returns:
            True if the pairs are (0, 0), (1, 1), … over all cells.
        """
        in_index, out_index = self.tap(number)
        everything = len(in_index) == self.num_in == self.num_out
        return everything and torch.equal(in_index, out_index)

    def transpose(self) -> "KernelMap":
        """Return the map that leads back from output cells to input cells, tap by tap.

        Returns:
            The transposed map; it shares memory with this one.
        """
        return KernelMap(self.out_index, self.in_index, self.tap_ptr, self.num_out, self.num_in)


def submanifold_kernel_map(
    coords: Int[Tensor, "n d_1"],
    spatial_shape: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
) -> KernelMap:
    """Return the map of a submanifold convolution, whose output cells are its input cells.

    After Graham et al. 2018 (https://arxiv.org/abs/1711.10275, section 3.1). Tap `k` joins the
    output cell `x` to the input cell `x + dilation (k - (kernel_size - 1) / 2)`, as torch's
    cross-correlation does. Opposite taps have the same pairs with their ends swapped, so half of
    the taps are looked up.

    Args:
        coords: Active cells, sorted by key, without repetition.
        spatial_shape: Size of each axis.
        kernel_size: Odd size of the kernel on each axis.
        dilation: Distance between taps on each axis.

    Returns:
        The kernel map.

    Raises:
        InputError: If a kernel size is even or not positive, a dilation is not positive, or their
            number is not the number of axes.
    """
    check_submanifold_kernel(len(spatial_shape), kernel_size, dilation)
    keys = ravel_coords(coords, spatial_shape)
    offsets = [
        [
            step * (tap - size // 2)
            for tap, size, step in zip(taps, kernel_size, dilation, strict=True)
        ]
        for taps in itertools.product(*map(range, kernel_size))
    ]
    centre = len(offsets) // 2
    everything = torch.arange(len(keys), device=coords.device)
    half = [_neighbours(coords, keys, spatial_shape, offset) for offset in offsets[:centre]]
    pairs = [*half, (everything, everything), *((out, into) for into, out in reversed(half))]
    tap_ptr = (0, *itertools.accumulate(len(into) for into, _ in pairs))
    in_index, out_index = (torch.cat(ends) for ends in zip(*pairs, strict=True))
    return KernelMap(in_index, out_index, tap_ptr, len(keys), len(keys))


def check_submanifold_kernel(
    num_axes: int, kernel_size: Sequence[int], dilation: Sequence[int]
) -> None:
    """Raise an error unless a kernel fits a submanifold convolution.

    Args:
        num_axes: Number of axes of the grid.
        kernel_size: Size on each axis.
        dilation: Distance between taps on each axis.

    Raises:
        InputError: If a size is even or not positive, a dilation is not positive, or their number
            is not the number of axes.
    """
    if not num_axes == len(kernel_size) == len(dilation):
        raise InputError(
            f"kernel_size and dilation must have one entry for each of {num_axes} axes, "
            f"but got kernel_size {tuple(kernel_size)} and dilation {tuple(dilation)}"
        )
    if any(size < 1 or size % 2 == 0 for size in kernel_size):
        raise InputError(
            "a submanifold kernel must be odd on each axis, so that it has a centre, but got "
            f"{tuple(kernel_size)}; use the next odd size"
        )
    if any(step < 1 for step in dilation):
        raise InputError(f"dilation must be at least 1 on each axis, but got {tuple(dilation)}")


def _neighbours(
    coords: Int[Tensor, "n d_1"],
    keys: Int[Tensor, " n"],
    spatial_shape: Sequence[int],
    offset: Sequence[int],
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
    """Return the pairs (input cell, output cell) with the input at output + offset."""
    shifted = coords[:, 1:] + torch.tensor(offset, device=coords.device)
    inside = (shifted >= 0) & (shifted < torch.tensor(spatial_shape, device=coords.device))
    # A key outside the grid would be that of another cell: it is left out before the look-up.
    out_index = inside.all(dim=1).nonzero().flatten()
    # Keys are linear in the coordinates, so the offset has a key of its own.
    key_offset = ravel_coords(torch.tensor([[0, *offset]], device=coords.device), spatial_shape)
    found = find_keys(keys, keys[out_index] + key_offset)
    hit = found >= 0
    return found[hit], out_index[hit]
