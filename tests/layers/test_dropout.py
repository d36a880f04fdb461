import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.layers.dropout import Dropout


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
