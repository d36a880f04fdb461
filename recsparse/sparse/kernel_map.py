"""Kernel maps: which input cell meets which output cell under which tap of a kernel."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.sparse.kernel import Kernel
from recsparse.sparse.pairs import cell_pairs


@dataclass(frozen=True, eq=False)
class KernelMap:
    """Pairs of cells, grouped by tap; taps are in the row-major order of the kernel.

    A symmetric map, that of a submanifold convolution, holds the taps before the centre only: the
    centre joins every cell to itself, and the tap opposite to another has its pairs, ends swapped.

    Attributes:
        in_index: The input cell of each pair, int32.
        out_index: The output cell of each pair, int32.
        tap_ptr: On the CPU: tap t owns the pairs `tap_ptr[t]` to `tap_ptr[t + 1] - 1`.
        num_in: Number of input cells.
        num_out: Number of output cells.
        symmetric: Whether half of the taps stand for all.
        monotone: Whether input and output cells both rise under each tap, as those of every kernel
            of coordinates do; under one tap each cell then occurs at most once.

    Example:
        >>> cells = torch.tensor([[0, 1], [0, 2]])
        >>> pairs = submanifold_kernel_map(cells, (4,), kernel_size=(3,), dilation=(1,))
        >>> for number in range(pairs.num_taps):
        ...     print(tuple(end.tolist() for end in pairs.tap(number)))
        ([0], [1])
        ([0, 1], [0, 1])
        ([1], [0])
        >>> pairs.pairs_per_tap, len(pairs.in_index)  # one of the four pairs is stored
        ([1, 2, 1], 1)
    """

    in_index: Int[Tensor, " pairs"]
    out_index: Int[Tensor, " pairs"]
    tap_ptr: Int[Tensor, " stored_1"]
    num_in: int
    num_out: int
    symmetric: bool = False
    monotone: bool = True

    @property
    def num_taps(self) -> int:
        """Number of taps of the kernel."""
        stored = len(self.tap_ptr) - 1
        return 2 * stored + 1 if self.symmetric else stored

    @property
    def pairs_per_tap(self) -> list[int]:
        """Number of pairs of each tap."""
        stored: list[int] = self.tap_ptr.diff().tolist()
        return [*stored, self.num_in, *reversed(stored)] if self.symmetric else stored

    @property
    def num_pairs(self) -> int:
        """Number of pairs of all taps."""
        return sum(self.pairs_per_tap)

    @property
    def num_bytes(self) -> int:
        """Memory of the pairs in bytes."""
        return self.in_index.nbytes + self.out_index.nbytes + self.tap_ptr.nbytes

    def tap(self, number: int) -> tuple[Int[Tensor, " some"], Int[Tensor, " some"]]:
        """Return the pairs of one tap.

        Args:
            number: The tap.

        Returns:
            Input cells and output cells.
        """
        stored = len(self.tap_ptr) - 1
        if self.symmetric and number == stored:
            everything = torch.arange(self.num_in, device=self.in_index.device, dtype=torch.int32)
            return everything, everything
        swapped = self.symmetric and number > stored
        held = 2 * stored - number if swapped else number
        pairs = slice(int(self.tap_ptr[held]), int(self.tap_ptr[held + 1]))
        ends = self.in_index[pairs], self.out_index[pairs]
        return (ends[1], ends[0]) if swapped else ends

    def is_identity(self, number: int) -> bool:
        """Say whether a tap is the centre of a symmetric map, which joins every cell to itself.

        Args:
            number: The tap.

        Returns:
            True for the centre.
        """
        return self.symmetric and number == len(self.tap_ptr) - 1

    def transpose(self) -> "KernelMap":
        """Return the map that leads back from output cells to input cells, tap by tap.

        Returns:
            The transposed map; it shares memory with this one.
        """
        return KernelMap(
            self.out_index,
            self.in_index,
            self.tap_ptr,
            self.num_out,
            self.num_in,
            self.symmetric,
            self.monotone,
        )


def submanifold_kernel_map(
    coords: Int[Tensor, "n d_1"],
    spatial_shape: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
) -> KernelMap:
    """Return the map of a submanifold convolution, whose output cells are its input cells.

    After Graham et al. 2018 (https://arxiv.org/abs/1711.10275, section 3.1). Tap `k` joins the
    output cell `x` to the input cell `x + dilation (k - (kernel_size - 1) / 2)`, as torch's
    cross-correlation does.

    Args:
        coords: Active cells, sorted by key, without repetition.
        spatial_shape: Size of each axis.
        kernel_size: Odd size of the kernel on each axis.
        dilation: Distance between taps on each axis.

    Returns:
        The kernel map, symmetric.

    Raises:
        InputError: If a kernel size is even or not positive, a dilation is not positive, or their
            number is not the number of axes.

    Example:
        >>> cells = torch.tensor([[0, 0, 0], [0, 1, 1]])
        >>> submanifold_kernel_map(cells, (2, 2), kernel_size=(3, 3), dilation=(1, 1)).pairs_per_tap
        [1, 0, 0, 0, 2, 0, 0, 0, 1]
    """
    kernel = Kernel.centred(kernel_size, dilation)
    kernel.check_axes(spatial_shape)
    half = kernel.num_taps // 2
    ends = cell_pairs(coords, coords, list(spatial_shape), *_settings(kernel), half)
    in_index, out_index, tap_ptr = ends
    return KernelMap(in_index, out_index, tap_ptr, coords.shape[0], coords.shape[0], symmetric=True)


def kernel_map_between(
    in_coords: Int[Tensor, "n d_1"],
    out_coords: Int[Tensor, "m d_1"],
    in_shape: Sequence[int],
    kernel: Kernel,
) -> KernelMap:
    """Return the map of a convolution from given input cells onto given output cells.

    Tap `t` joins the output cell `o` to the input cell `stride o − padding + dilation t`.

    Args:
        in_coords: Input cells, sorted by key, without repetition.
        out_coords: Output cells, likewise.
        in_shape: Size of each axis of the input.
        kernel: The window.

    Returns:
        The kernel map; output cells that no input cell meets have no pair.

    Example:
        >>> halving = Kernel.of(1, size=2, stride=2)
        >>> cells, coarse = torch.tensor([[0, 0], [0, 3]]), torch.tensor([[0, 0], [0, 1]])
        >>> pairs = kernel_map_between(cells, coarse, (4,), halving)
        >>> pairs.in_index.tolist(), pairs.out_index.tolist(), pairs.tap_ptr.tolist()
        ([0, 1], [0, 1], [0, 1, 2])
    """
    ends = cell_pairs(in_coords, out_coords, list(in_shape), *_settings(kernel), kernel.num_taps)
    in_index, out_index, tap_ptr = ends
    return KernelMap(in_index, out_index, tap_ptr, in_coords.shape[0], out_coords.shape[0])


def _settings(kernel: Kernel) -> tuple[list[int], list[int], list[int], list[int]]:
    return list(kernel.size), list(kernel.stride), list(kernel.padding), list(kernel.dilation)
