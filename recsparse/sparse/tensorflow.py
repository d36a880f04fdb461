"""The cells of `tf.sparse.SparseTensor`; the one file that imports tensorflow."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.errors import InputError, MissingPackageError
from recsparse.sparse.coords import check_coords
from recsparse.sparse.precision import widened
from recsparse.sparse.real_numbers import as_float, torch_values


def from_tf_sparse(
    sparse: Any,
) -> tuple[Int[Tensor, "n d_1"], Float[Tensor, "n c"], tuple[int, ...]]:
    """Read the cells of a `tf.sparse.SparseTensor`; entries that occur twice are summed.

    Args:
        sparse: Shape (batch, *spatial_shape, channels); tensorflow itself is not needed to read it.

    Returns:
        Sorted coordinates of the cells with any stored channel, their channels, and the shape.

    Raises:
        InputTypeError: If the values are complex or no numbers.
        InputError: If it has fewer than three dimensions, or an entry outside its shape.
    """
    shape = tuple(int(size) for size in np.asarray(sparse.dense_shape))
    if len(shape) < 3:
        raise InputError(
            f"from_tensorflow needs (batch, *spatial_shape, channels), but got shape {shape}"
        )
    # tensorflow's arrays are read-only, so they are copied.
    entries = torch.from_numpy(np.array(sparse.indices)).long().reshape(-1, len(shape))
    values = as_float(torch_values(sparse.values))
    check_coords(entries, shape[1:], shape[0])
    coords, cell = entries[:, :-1].unique(dim=0, return_inverse=True)
    wide = widened(values)
    feats = wide.new_zeros(len(coords), shape[-1])
    feats = feats.index_put((cell, entries[:, -1]), wide, accumulate=True)
    return coords, feats.to(values.dtype), shape


def to_tf_sparse(
    coords: Int[Tensor, "n d_1"], feats: Float[Tensor, "n c"], shape: tuple[int, ...]
) -> Any:
    """Make a `tf.sparse.SparseTensor` of cells.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis.
        feats: The channels of each cell.
        shape: (batch, *spatial_shape, channels).

    Returns:
        The tensor, in row-major order; bfloat16 becomes float32.

    Raises:
        MissingPackageError: If tensorflow is not installed.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingPackageError(
            "to_tensorflow needs tensorflow, which is not installed; pip install tensorflow"
        ) from error
    num_cells, channels = feats.shape
    feats = feats.float() if feats.dtype == torch.bfloat16 else feats  # numpy has none
    channel = torch.arange(channels, device=coords.device).repeat(num_cells)
    indices = torch.cat([coords.repeat_interleave(channels, dim=0), channel.unsqueeze(1)], dim=1)
    return tf.sparse.SparseTensor(
        indices.cpu().numpy(), feats.detach().cpu().numpy().ravel(), shape
    )
