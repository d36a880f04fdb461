import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.layers.dropout import CellDropout, Dropout
from tests.random_grids import random_tensor, sparse_tensors


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_wanted_share_is_zero_and_the_mean_stays(p):
    """Within five standard errors of a coin with that chance."""
    torch.manual_seed(0)
    count = 200_000
    dropped = Dropout(p)(torch.ones(count))
    zero = (dropped == 0).float().mean().item()
    assert zero == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5)
    assert dropped.max().item() == pytest.approx(1 / (1 - p), rel=1e-4)
    assert dropped.mean().item() == pytest.approx(1, abs=5 * (p / (1 - p) / count) ** 0.5)


def test_neighbours_are_dropped_independently():
    """Four numbers share a random word; each pair of them agrees as often as by chance."""
    torch.manual_seed(0)
    kept = Dropout(0.5)(torch.ones(40_000, 4)) > 0
    for first in range(4):
        for second in range(first):
            agree = (kept[:, first] == kept[:, second]).float().mean().item()
            assert agree == pytest.approx(0.5, abs=5 * 0.5 / 40_000**0.5)


@given(st.lists(st.integers(0, 7), max_size=3), st.sampled_from([torch.float32, torch.bfloat16]))
def test_any_shape_and_type_is_kept(shape, dtype):
    dropped = Dropout(0.5)(torch.ones(shape, dtype=dtype))
    assert dropped.shape == tuple(shape)
    assert dropped.dtype == dtype
    assert ((dropped == 0) | (dropped == 2)).all()


def test_the_gradient_is_that_of_what_was_kept():
    x = torch.randn(50, requires_grad=True)
    dropped = Dropout(0.5)(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, torch.where(dropped == 0, 0.0, 2.0))


def test_nothing_is_dropped_in_evaluation_or_without_a_chance():
    x = torch.randn(9)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert (Dropout(1.0)(x) == 0).all()


def test_the_generator_decides():
    torch.manual_seed(3)
    first = Dropout(0.5)(torch.ones(99))
    torch.manual_seed(3)
    assert torch.equal(Dropout(0.5)(torch.ones(99)), first)
    assert not torch.equal(Dropout(0.5)(torch.ones(99)), first)


def cells_of(x):
    return {tuple(cell): row for cell, row in zip(x.coords.tolist(), x.feats.tolist(), strict=True)}


@given(sparse_tensors(2, channels=2), st.floats(0, 0.9))
def test_kept_and_dropped_cells_are_the_cells_and_have_none_in_common(make, p):
    x = make()
    kept, dropped = CellDropout(p, torch.Generator().manual_seed(0)).split(x)
    assert cells_of(kept) | cells_of(dropped) == cells_of(x)
    assert len(kept.feats) + len(dropped.feats) == len(x.feats)
    for part in (kept, dropped):
        assert (part.spatial_shape, part.batch_size) == (x.spatial_shape, x.batch_size)
        assert (part.grid.keys.diff() > 0).all()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_dropped_cells_is_p(p):
    x = random_tensor((100, 100), density=1.0)
    kept = CellDropout(p, torch.Generator().manual_seed(0))(x)
    deviation = (p * (1 - p) / 10_000) ** 0.5
    assert 1 - len(kept.feats) / 10_000 == pytest.approx(p, abs=4 * deviation)


def test_each_cell_is_drawn_by_itself_and_anew_at_each_call():
    x = random_tensor((50, 50), density=1.0)
    dropout = CellDropout(0.5, torch.Generator().manual_seed(0))
    first, second = (cells_of(dropout(x)).keys() for _ in range(2))
    # Independent halves: a quarter of the cells is in both.
    assert len(first & second) / 2500 == pytest.approx(0.5 * 0.5, abs=4 * (3 / 16 / 2500) ** 0.5)


def test_one_seed_drops_the_same_cells():
    x = random_tensor((9, 9))
    same, again, other = (
        CellDropout(0.5, torch.Generator().manual_seed(seed))(x) for seed in (1, 1, 2)
    )
    assert cells_of(same) == cells_of(again)
    assert cells_of(same) != cells_of(other)


def test_without_a_generator_torchs_own_seed_counts():
    x = random_tensor((9, 9))
    torch.manual_seed(3)
    first = CellDropout()(x)
    torch.manual_seed(3)
    assert cells_of(CellDropout()(x)) == cells_of(first)


def test_evaluation_and_a_share_of_zero_drop_nothing():
    x = random_tensor((9, 9))
    assert CellDropout(0.5).eval()(x) is x
    assert CellDropout(0.0)(x) is x


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_generator_of_another_device_serves_the_cells():
    x = random_tensor((9, 9))
    here, there = (
        CellDropout(0.5, torch.Generator().manual_seed(0))(part) for part in (x, x.to("cuda"))
    )
    assert cells_of(there) == cells_of(here)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_refused(p):
    with pytest.raises(InputError, match=f"p must be at least 0 and below 1, but got {p}"):
        CellDropout(p)


def test_numbers_are_drawn_where_the_input_is_whatever_the_default_device():
    x = torch.ones(1000)
    with torch.device("meta"):
        dropped = Dropout(0.5)(x)
    assert dropped.device.type == "cpu"
    assert 0 < (dropped == 0).sum() < 1000
