"""Random sparse tensors for property tests: no cell, one cell, one row, and everything between."""

from functools import partial

import torch
from hypothesis import strategies as st

from recsparse.sparse.tensor import SparseTensor, sparse_tensor


def random_tensor(
    spatial_shape, batch_size=1, channels=1, density=0.5, seed=0, dtype=torch.float64
) -> SparseTensor:
    """Return normal features on a random subset of the cells."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(batch_size, *spatial_shape, generator=generator)
    coords = (drawn < density).nonzero()
    feats = torch.randn(len(coords), channels, generator=generator, dtype=dtype)
    return sparse_tensor(coords, feats, spatial_shape, batch_size)


@st.composite
def sparse_tensors(draw, num_axes=2, channels=None, min_size=0, max_size=5, batch_size=None):
    """Draw how to make a sparse tensor; an axis, the batch or the channels may have size 0 or 1.

    The test makes it: hypothesis forbids the random numbers by which beartype picks its checks.
    """
    size = st.integers(min_size, max_size)
    return partial(
        random_tensor,
        draw(st.tuples(*[size] * num_axes)),
        draw(st.integers(0, 3)) if batch_size is None else batch_size,
        draw(st.integers(0, 3)) if channels is None else channels,
        draw(st.sampled_from([0.0, 0.1, 0.4, 1.0])),
        draw(st.integers(0, 999)),
    )


@st.composite
def two_grids(draw) -> list[tuple]:
    """Draw the arguments of `random_tensor` for two tensors of one shape and batch size."""
    num_axes = draw(st.integers(1, 3))
    shape = draw(st.tuples(*[st.integers(0, 4)] * num_axes))
    batch_size = draw(st.integers(0, 2))
    kinds = st.tuples(st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.integers(0, 99))
    return [(shape, batch_size, 1, *draw(kinds)) for _ in range(2)]
