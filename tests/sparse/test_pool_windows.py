import numpy as np
import pytest
import torch
from hypothesis import given

from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pool_windows import (
    cells_per_window,
    spread_to_winners,
    window_lp,
    window_max,
    window_mean,
    window_sum,
    window_winners,
)
from tests.random_grids import random_tensor, sparse_tensors

POOLS = {
    "sum": (window_sum, lambda rows: rows.sum(axis=0)),
    "mean": (window_mean, lambda rows: rows.mean(axis=0)),
    "max": (window_max, lambda rows: rows.max(axis=0)),
    "lp": (lambda f, m: window_lp(f, m, 2.0), lambda rows: np.sqrt((rows**2).sum(axis=0))),
}


def rows_of_windows(feats, pairs):
    """List the rows of each window by a loop over all pairs."""
    rows = [[] for _ in range(pairs.num_out)]
    for tap in range(pairs.num_taps):
        for into, out in zip(*pairs.tap(tap), strict=True):
            rows[out].append(feats[into].numpy())
    return rows


# The map of a submanifold convolution holds half of its taps, the others are these reversed.
@pytest.mark.parametrize("kind", POOLS)
@given(make=sparse_tensors(2, max_size=4))
def test_windows_around_the_cells_themselves_are_pooled(kind, make):
    x = make()
    pairs = x.grid.submanifold_map((3, 3), (1, 1))
    pool, reduce = POOLS[kind]
    found, rows = pool(x.feats, pairs), rows_of_windows(x.feats, pairs)
    assert cells_per_window(pairs).tolist() == [len(window) for window in rows]
    expected = [reduce(np.stack(window)) for window in rows]
    np.testing.assert_allclose(found, np.reshape(expected, found.shape), atol=1e-12)


@pytest.mark.parametrize("num_in", [0, 2])
@pytest.mark.parametrize("kind", POOLS)
def test_a_window_without_cells_is_zero_and_has_no_gradient(kind, num_in):
    ends = torch.arange(num_in).int(), torch.arange(num_in).int(), torch.tensor([0, num_in])
    pairs = KernelMap(*ends, num_in, num_in + 1)
    feats = torch.full((num_in, 2), -3.0, dtype=torch.float64, requires_grad=True)
    found = POOLS[kind][0](feats, pairs)
    assert found[-1].tolist() == [0.0, 0.0]
    (grad,) = torch.autograd.grad(found[-1].sum(), feats)
    assert torch.equal(grad, torch.zeros(num_in, 2).double())


def test_values_of_windows_without_cells_go_nowhere():
    pairs = KernelMap(torch.tensor([0]).int(), torch.tensor([1]).int(), torch.tensor([0, 1]), 1, 2)
    values = torch.tensor([[5.0], [7.0]])
    assert spread_to_winners(values, torch.zeros(1, 1), pairs).tolist() == [[7.0]]


def test_maxima_are_the_values_of_the_winners():
    x = random_tensor((5, 5), channels=3)
    pairs = x.grid.submanifold_map((3, 3), (1, 1))
    winner = window_winners(x.feats, pairs)
    assert torch.equal(window_max(x.feats, pairs), x.feats.gather(0, winner))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_of_many_low_precision_values_lose_no_more_than_the_last_rounding(dtype):
    x = random_tensor((41,), density=1.0)
    pairs = x.grid.submanifold_map((81,), (1,))
    ones = torch.full((41, 1), 1.0, dtype=dtype)
    assert window_sum(ones, pairs)[20].item() == 41
    assert window_lp(ones, pairs, 1.0)[20].item() == 41
