"""What holds for convolutions of every kind: derivatives, order, place, samples, NaN."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from recsparse.sparse.concatenate import cat
from recsparse.sparse.tensor import sparse_tensor
from tests import oracles
from tests.convolutions import KINDS, WINDOWS, kinds_of_layers, moved, moved_by
from tests.random_grids import random_tensor

pytestmark = pytest.mark.usefixtures("conv_path")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5)
@given(
    st.tuples(st.integers(1, 4), st.integers(3, 5)),
    st.integers(1, 2),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([(2, 4, 1), (2, 4, 2), (2, 2, 2)]),
)
def test_first_and_second_derivatives_equal_finite_differences(
    kind, shape, batch_size, density, channels
):
    layer, convolve = kinds_of_layers(*channels)[kind]
    x = random_tensor(shape, batch_size, channels[0], density)
    x = x.select(torch.arange(len(x.feats)) < 5)
    inputs = (x.feats.clone().requires_grad_(), *layer.parameters())

    def convolved(feats, *_):
        return convolve(x.with_feats(feats)).feats

    assert gradcheck(convolved, inputs, fast_mode=True)
    assert gradgradcheck(convolved, inputs, fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 99), st.sampled_from([0.0, 0.05, 0.5, 1.0]))
def test_the_order_of_the_input_rows_changes_no_bit_of_the_result(kind, seed, density):
    _, convolve = kinds_of_layers()[kind]
    x = random_tensor((4, 6), 2, 2, density, seed)
    order = torch.randperm(len(x.feats), generator=torch.Generator().manual_seed(seed))
    shuffled = sparse_tensor(x.coords[order], x.feats[order], x.spatial_shape, x.batch_size)
    out, other = convolve(x), convolve(shuffled)
    assert torch.equal(out.coords, other.coords)
    assert torch.equal(out.feats, other.feats)


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 99), st.tuples(st.integers(0, 5), st.integers(0, 9)))
def test_moved_cells_give_the_moved_result(kind, seed, steps):
    """By whole strides, and so far inside the grid that no window is cut off."""
    _, convolve = kinds_of_layers()[kind]
    x = random_tensor((4, 6), 2, 2, 0.4, seed)
    start = convolve(moved(x, (4, 6), (40, 40)))
    out = convolve(moved(x, (4 + 2 * steps[0], 6 + steps[1]), (40, 40)))
    shift = moved_by(kind, (2 * steps[0], steps[1]))
    assert torch.equal(out.coords, start.coords + torch.tensor([0, *shift]))
    assert torch.equal(out.feats, start.feats)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_a_batch_do_not_meet(kind):
    _, convolve = kinds_of_layers()[kind]
    parts = [random_tensor((4, 6), 1, 2, density, seed=3) for density in (0.5, 0.0, 1.0)]
    together = convolve(cat(parts))
    apart = cat([convolve(part) for part in parts])
    assert torch.equal(together.coords, apart.coords)
    torch.testing.assert_close(together.feats, apart.feats, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@given(st.integers(0, 99))
def test_nan_reaches_the_cells_that_see_it_and_no_others(kind, bad, seed):
    _, convolve = kinds_of_layers()[kind]
    x = random_tensor((6, 8), 2, 2, 0.5, seed)
    cell = seed % len(x.feats)
    hit = torch.zeros(len(x.feats), 1, dtype=torch.float64)
    hit[cell] = 1
    place = oracles.to_dense(x.coords, hit, x.spatial_shape, x.batch_size)
    seeing = {tuple(row) for row in oracles.seen_cells(place, WINDOWS[kind]).tolist()}
    out = convolve(x.with_feats(torch.where(hit == 1, bad, x.feats)))
    clean = convolve(x.with_feats(torch.where(hit == 1, 0.0, x.feats)))
    sees = torch.tensor([tuple(row) in seeing for row in out.coords.tolist()])
    assert sees.any()
    assert not out.feats[sees].isfinite().any()
    assert torch.equal(out.feats[~sees], clean.feats[~sees])


@pytest.mark.parametrize("kind", WINDOWS)
def test_a_nan_gradient_reaches_the_cells_that_were_seen_and_no_others(kind):
    _, convolve = kinds_of_layers()[kind]
    x = random_tensor((6, 8), 2, 2, 0.5)
    feats = x.feats.clone().requires_grad_()
    out = convolve(x.with_feats(feats))
    grad = torch.zeros_like(out.feats)
    grad[9] = float("nan")
    sample, *place = out.coords[9].tolist()
    read = {(sample, *cell) for cell in WINDOWS[kind].places_read(place)}
    (found,) = torch.autograd.grad(out.feats, feats, grad)
    expected = torch.tensor([tuple(cell) in read for cell in x.coords.tolist()])
    assert expected.any()
    assert torch.equal(found.isnan().all(1), expected)
    assert torch.equal(found.isnan().any(1), expected)
