"""Whether two sparse tensors are the same, and what one is in NumPy, cell by cell."""

import numpy as np
import torch


def assert_same(found, expected):
    assert found.coords.tolist() == expected.coords.tolist()
    assert found.coords.dtype == torch.int64
    assert torch.equal(found.feats, expected.feats)
    assert found.feats.dtype == expected.feats.dtype
    assert found.spatial_shape == expected.spatial_shape
    assert found.batch_size == expected.batch_size


def dense_one_by_one(x):
    """Fill a numpy array (batch, channels, *spatial_shape) cell by cell."""
    dense = np.zeros((x.batch_size, x.num_channels, *x.spatial_shape))
    for (sample, *place), row in zip(x.coords.tolist(), x.feats.tolist(), strict=True):
        for channel, value in enumerate(row):
            dense[(sample, channel, *place)] = value
    return dense
