import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.sparse.pairs import cell_pairs
from tests.oracles import Window
from tests.random_grids import random_tensor, sparse_tensors

pytestmark = pytest.mark.usefixtures("conv_path")


def settings_of(window):
    return list(window.size), list(window.stride), list(window.padding), list(window.dilation)


def pairs_by_position(in_coords, out_coords, in_shape, window):
    """Return, for each tap, the pairs found in a dense array of the number of each input cell."""
    samples = int(max(in_coords[:, 0].max(initial=-1), out_coords[:, 0].max(initial=-1))) + 1
    number = np.full((samples, *in_shape), -1)
    number[tuple(in_coords.T)] = np.arange(len(in_coords))
    taps = []
    for tap in np.ndindex(*window.size):
        moved = out_coords.copy()
        moved[:, 1:] *= np.array(window.stride)
        moved[:, 1:] += np.array(window.dilation) * tap - np.array(window.padding)
        inside = ((moved[:, 1:] >= 0) & (moved[:, 1:] < np.array(in_shape))).all(axis=1)
        out = np.flatnonzero(inside)
        into = number[tuple(moved[inside].T)]
        taps.append((into[into >= 0], out[into >= 0]))
    return taps


def assert_pairs_are_those_by_position(in_coords, out_coords, in_shape, window):
    taps = pairs_by_position(in_coords.numpy(), out_coords.numpy(), in_shape, window)
    found = cell_pairs(in_coords, out_coords, list(in_shape), *settings_of(window), len(taps))
    for index, side in zip(found[:2], zip(*taps, strict=True), strict=True):
        assert index.dtype == torch.int32
        np.testing.assert_array_equal(index, np.concatenate(side))
    assert found[2].tolist() == [0, *np.cumsum([len(out) for _, out in taps])]


@st.composite
def cases(draw):
    """Draw how to make a tensor of one to three axes, and a window."""
    num_axes = draw(st.integers(1, 3))
    make = draw(sparse_tensors(num_axes, channels=1))
    settings = [st.tuples(*[st.integers(low, 3)] * num_axes) for low in (1, 1, 0, 1)]
    return make, Window(*(draw(numbers) for numbers in settings))


@given(cases(), st.sampled_from([0.0, 0.3, 1.0]))
def test_pairs_are_those_found_in_a_dense_array(case, density):
    make, window = case
    x = make()
    cells = random_tensor(window.out_shape(x.spatial_shape), x.batch_size, density=density, seed=1)
    assert_pairs_are_those_by_position(x.coords, cells.coords, x.spatial_shape, window)


@given(sparse_tensors(2, channels=1), st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_pairs_of_cells_with_themselves_are_those_found_in_a_dense_array(make, padding):
    x, window = make(), Window((3, 2), (1, 1), padding, (2, 1))
    assert_pairs_are_those_by_position(x.coords, x.coords, x.spatial_shape, window)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_pairs_of_many_cells_are_those_found_in_a_dense_array(num_threads):
    x, y = random_tensor((150, 120), density=0.7), random_tensor((75, 120), density=0.9, seed=1)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        own = Window((3, 3), (1, 1), (1, 1), (1, 1))
        assert_pairs_are_those_by_position(x.coords, x.coords, x.spatial_shape, own)
        other = Window((3, 3), (2, 1), (1, 1), (1, 1))
        assert_pairs_are_those_by_position(x.coords, y.coords, x.spatial_shape, other)
    finally:
        torch.set_num_threads(before)


def test_the_first_taps_alone_are_the_start_of_all():
    x, window = random_tensor((5, 6), 2), Window((3, 3), (1, 1), (1, 1), (1, 1))
    settings = x.coords, x.coords, list(x.spatial_shape), *settings_of(window)
    into, onto, tap_ptr = cell_pairs(*settings, 9)
    for number in (0, 1, 4):
        some = cell_pairs(*settings, number)
        assert torch.equal(some[2], tap_ptr[: number + 1])
        assert torch.equal(some[0], into[: tap_ptr[number]])
        assert torch.equal(some[1], onto[: tap_ptr[number]])


@pytest.mark.parametrize("some", [slice(0, 4), slice(0, None, 3), slice(0, 0)])
def test_output_cells_that_share_memory_with_the_input_are_told_apart(some):
    x, window = random_tensor((5, 6), 2), Window((3, 3), (1, 1), (1, 1), (1, 1))
    assert_pairs_are_those_by_position(x.coords, x.coords[some], x.spatial_shape, window)


def test_torch_is_told_what_the_operator_gives():
    """Schema, fake tensors and tracing, as `torch.compile` and `torch.export` need them."""
    x = random_tensor((5, 6), 2)
    torch.library.opcheck(
        cell_pairs, (x.coords, x.coords, [5, 6], [3, 3], [1, 1], [1, 1], [1, 1], 4)
    )
