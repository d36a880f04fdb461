"""Pooling along a kernel map: over the active cells of each window, and back to them.

Sums and means are convolutions with weights of 1; maxima find the winning cells tap by tap and
gather them. Nothing is as large as pairs times channels, and all is differentiable to any order.
On the CPU results and gradients are the same bit for bit at every run; elsewhere the gradient of a
maximum adds up in any order where windows overlap. Low-precision types are added up in float32.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pair_conv import pair_conv
from recsparse.sparse.pair_max import pair_max
from recsparse.sparse.pooling import root_of_powers
from recsparse.sparse.precision import widened


def window_sum(feats: Float[Tensor, "n_in c"], kernel_map: KernelMap) -> Float[Tensor, "n_out c"]:
    """Add up the active cells of each window.

    Args:
        feats: Features of the input cells.
        kernel_map: Which input cells lie in the window of which output cell.

    Returns:
        Features of the output cells; zero for an empty window.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 2]]), (3,), 1)
        >>> window_sum(torch.ones(3, 1), grid.submanifold_map((3,), (1,))).flatten().tolist()
        [2.0, 3.0, 2.0]
    """
    return _wide_sum(feats, kernel_map).to(feats.dtype)


def window_mean(
    feats: Float[Tensor, "n_in c"], kernel_map: KernelMap, divisor: int | None = None
) -> Float[Tensor, "n_out c"]:
    """Average the active cells of each window.

    Args:
        feats: Features of the input cells.
        kernel_map: Which input cells lie in the window of which output cell.
        divisor: What the sum is divided by; None for the number of active cells of the window.

    Returns:
        Features of the output cells; zero for an empty window.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 3]]), (4,), 1)
        >>> feats = torch.tensor([[3.0], [4.0], [2.0]])
        >>> window_mean(feats, grid.submanifold_map((3,), (1,))).flatten().tolist()
        [3.5, 3.5, 2.0]
    """
    total = _wide_sum(feats, kernel_map)
    if divisor is None:
        mean = total / cells_per_window(kernel_map).clamp(min=1).unsqueeze(1)
    else:
        mean = total / divisor
    return mean.to(feats.dtype)


def cells_per_window(kernel_map: KernelMap) -> Int[Tensor, " n_out"]:
    """Count the active cells of each window.

    Args:
        kernel_map: Which input cells lie in the window of which output cell.

    Returns:
        One number per output cell.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 3]]), (4,), 1)
        >>> cells_per_window(grid.submanifold_map((3,), (1,))).tolist()
        [2, 2, 1]
    """
    # Not bincount: the size of its result depends on values, which would break compiled code.
    count = _occurrences(kernel_map.out_index, kernel_map.num_out)
    if kernel_map.symmetric:
        count = count + _occurrences(kernel_map.in_index, kernel_map.num_in) + 1
    return count


def window_lp(
    feats: Float[Tensor, "n_in c"], kernel_map: KernelMap, norm_type: float
) -> Float[Tensor, "n_out c"]:
    """Return `(sum x^p)^(1/p)` over the active cells of each window, as torch's LP pooling does.

    Args:
        feats: Features of the input cells.
        kernel_map: Which input cells lie in the window of which output cell.
        norm_type: The exponent `p`, positive.

    Returns:
        Features of the output cells; zero for an empty window, NaN for a negative sum.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 3]]), (4,), 1)
        >>> feats = torch.tensor([[3.0], [4.0], [2.0]])
        >>> window_lp(feats, grid.submanifold_map((3,), (1,)), 2.0).flatten().tolist()
        [5.0, 5.0, 2.0]
    """
    total = _wide_sum(widened(feats).pow(norm_type), kernel_map)
    return root_of_powers(total, norm_type).to(feats.dtype)


def window_max(feats: Float[Tensor, "n_in c"], kernel_map: KernelMap) -> Float[Tensor, "n_out c"]:
    """Take the largest value of the active cells of each window; NaN counts as the largest.

    Args:
        feats: Features of the input cells.
        kernel_map: Which input cells lie in the window of which output cell.

    Returns:
        Features of the output cells; zero for an empty window. The first of equal values gets the
        gradient.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 3]]), (4,), 1)
        >>> feats = torch.tensor([[3.0], [4.0], [2.0]])
        >>> window_max(feats, grid.submanifold_map((3,), (1,))).flatten().tolist()
        [4.0, 4.0, 2.0]
    """
    # An empty window reads the row past the end; to choose by sizes would break compiled code.
    # Where windows overlap, the gradients of a cell that won several are added up: not in 16 bits.
    wide = widened(feats)
    padded = torch.cat([wide, wide.new_zeros(1, feats.shape[1])])
    return padded.gather(0, window_winners(feats, kernel_map)).to(feats.dtype)


def window_winners(feats: Float[Tensor, "n_in c"], kernel_map: KernelMap) -> Int[Tensor, "n_out c"]:
    """Return the input cell with the largest value of each window.

    Args:
        feats: Features of the input cells.
        kernel_map: Which input cells lie in the window of which output cell.

    Returns:
        One cell for each output cell and channel, the first of equal ones; `n_in` for an empty
        window.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 3]]), (4,), 1)
        >>> feats = torch.tensor([[3.0], [4.0], [2.0]])
        >>> window_winners(feats, grid.submanifold_map((3,), (1,))).flatten().tolist()
        [1, 1, 2]
    """
    winner: Tensor = pair_max(feats.detach(), *_ends(kernel_map), *_kinds(kernel_map))
    return winner


def spread_to_winners(
    feats: Float[Tensor, "n_out c"], pooled: Float[Tensor, "n_in c"], kernel_map: KernelMap
) -> Float[Tensor, "n_in c"]:
    """Put the value of each window where its maximum came from: the transpose of maximum pooling.

    Args:
        feats: Features of the output cells of the pooling.
        pooled: Features of its input cells.
        kernel_map: Which input cells lie in the window of which output cell.

    Returns:
        Features of the input cells of the pooling: the sum of the windows that a cell won, zero
        for the others.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 3]]), (4,), 1)
        >>> feats = torch.tensor([[3.0], [4.0], [2.0]])
        >>> ones = torch.ones(3, 1)
        >>> spread_to_winners(ones, feats, grid.submanifold_map((3,), (1,))).flatten().tolist()
        [0.0, 2.0, 1.0]
    """
    # The row past the end takes the values of empty windows.
    wide = widened(feats)
    out = wide.new_zeros(len(pooled) + 1, feats.shape[1])
    return out.scatter_add(0, window_winners(pooled, kernel_map), wide)[:-1].to(feats.dtype)


def _wide_sum(feats: Float[Tensor, "n_in c"], kernel_map: KernelMap) -> Float[Tensor, "n_out c"]:
    feats = widened(feats)
    ones = feats.new_ones(kernel_map.num_taps, feats.shape[1], 1, 1)
    total: Tensor = pair_conv(feats, ones, None, *_ends(kernel_map), *_kinds(kernel_map))
    return total


def _occurrences(index: Int[Tensor, " pairs"], size: int) -> Int[Tensor, " size"]:
    return index.new_zeros(size).index_add(0, index, torch.ones_like(index))


def _ends(kernel_map: KernelMap) -> tuple[Tensor, Tensor, Tensor]:
    return kernel_map.in_index, kernel_map.out_index, kernel_map.tap_ptr


def _kinds(kernel_map: KernelMap) -> tuple[int, bool, bool]:
    return kernel_map.num_out, kernel_map.symmetric, kernel_map.monotone
