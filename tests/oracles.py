"""What convolutions must give, from dense torch and from loops; nothing here imports recsparse.

Axis by axis, tap `t` of output place `o` reads input place `stride · o − padding + dilation · t`.
"""

import itertools
from dataclasses import dataclass
from math import prod

import numpy as np
from torch.nn import functional

CONVOLVE = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
CONVOLVE_TRANSPOSED = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


@dataclass(frozen=True)
class Window:
    """The settings of a convolution, one number per axis."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def out_shape(self, in_shape):
        """Count, on each axis, the windows that lie within the padded input."""
        return tuple(
            sum(
                stride * start + dilation * (size - 1) < length + 2 * padding
                for start in range(length + 2 * padding)
            )
            for length, size, stride, padding, dilation in zip(
                in_shape, self.size, self.stride, self.padding, self.dilation, strict=True
            )
        )

    def places_read(self, out_place):
        """Return, for each tap in row-major order, the place that it reads, in the grid or not."""
        for tap in itertools.product(*map(range, self.size)):
            yield tuple(
                stride * o - padding + dilation * t
                for o, t, stride, padding, dilation in zip(
                    out_place, tap, self.stride, self.padding, self.dilation, strict=True
                )
            )


def to_dense(coords, feats, shape, batch_size):
    """Write features to the places of their cells, zero elsewhere; differentiable."""
    dense = feats.new_zeros(batch_size, *shape, feats.shape[1])
    return dense.index_put(tuple(coords.T), feats).movedim(-1, 1)


def at_cells(dense, coords):
    """Read a dense tensor at cells."""
    return dense.movedim(1, -1)[tuple(coords.T)]


def dense_conv(dense, weight, bias, window, groups=1):
    """Convolve with torch; a window that does not fit into the padded grid gives no output."""
    shape = window.out_shape(dense.shape[2:])
    if not prod(shape):
        return dense.new_zeros(len(dense), len(weight), *shape) + 0 * weight.sum()
    return CONVOLVE[len(shape)](
        dense, weight, bias, window.stride, window.padding, window.dilation, groups
    )


def dense_conv_transpose(dense, weight, bias, window, output_padding, groups=1):
    """Convolve transposed with torch."""
    return CONVOLVE_TRANSPOSED[len(window.size)](
        dense,
        weight,
        bias,
        window.stride,
        window.padding,
        output_padding,
        groups,
        window.dilation,
    )


def seen_cells(active, window):
    """Return the output cells whose window holds an active cell, in row-major order.

    `active` is one where a cell is active, of shape (batch, 1, *spatial).
    """
    ones = active.new_ones(1, 1, *window.size)
    return (dense_conv(active, ones, None, window)[:, 0] > 0.5).nonzero()


def reached_cells(active, window, output_padding):
    """Return the output cells of a transposed convolution that an active cell reaches."""
    ones = active.new_ones(1, 1, *window.size)
    out = dense_conv_transpose(active, ones, None, window, output_padding)
    return (out[:, 0] > 0.5).nonzero()


def looped_conv(coords, feats, out_coords, weight, bias, window, groups=1):
    """Convolve given cells onto given cells with numpy loops, in any number of axes.

    `weight` is torch's, (c_out, c_in / groups, *size).
    """
    row = {tuple(cell): number for number, cell in enumerate(coords.tolist())}
    c_out, per_group = weight.shape[:2]
    taps = weight.reshape(c_out, per_group, -1)
    out = np.zeros((len(out_coords), c_out)) + (0 if bias is None else bias)
    for number, (sample, *out_place) in enumerate(out_coords.tolist()):
        for tap, place in enumerate(window.places_read(out_place)):
            if (sample, *place) not in row:
                continue
            x = feats[row[sample, *place]].reshape(groups, per_group)
            matrices = taps[:, :, tap].reshape(groups, c_out // groups, per_group)
            out[number] += np.einsum("gmk,gk->gm", matrices, x).reshape(c_out)
    return out


def looped_seen_cells(coords, shape, batch_size, window):
    """Return what `seen_cells` returns, with loops, in any number of axes."""
    active = {tuple(cell) for cell in coords.tolist()}
    return [
        [sample, *place]
        for sample in range(batch_size)
        for place in itertools.product(*map(range, window.out_shape(shape)))
        if any((sample, *read) in active for read in window.places_read(place))
    ]


def looped_conv_transpose(coords, feats, out_coords, weight, bias, window, groups=1):
    """Spread given cells over given cells with numpy loops, in any number of axes.

    `weight` is torch's of a transposed convolution, (c_in, c_out / groups, *size).
    """
    row = {tuple(cell): number for number, cell in enumerate(out_coords.tolist())}
    c_in, per_group = weight.shape[:2]
    taps = weight.reshape(groups, c_in // groups, per_group, -1)
    out = np.zeros((len(out_coords), groups * per_group)) + (0 if bias is None else bias)
    for number, (sample, *place) in enumerate(coords.tolist()):
        x = feats[number].reshape(groups, c_in // groups)
        for tap, reached in enumerate(window.places_read(place)):
            if (sample, *reached) in row:
                product = np.einsum("gk,gkm->gm", x, taps[..., tap])
                out[row[sample, *reached]] += product.reshape(-1)
    return out


def looped_reached_cells(coords, shape, window):
    """Return the cells of a shape that a transposed convolution reaches, with loops."""
    reached = {
        (sample, *read)
        for sample, *place in coords.tolist()
        for read in window.places_read(place)
        if all(0 <= at < length for at, length in zip(read, shape, strict=True))
    }
    return [list(cell) for cell in sorted(reached)]
