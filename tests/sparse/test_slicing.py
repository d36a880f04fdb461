import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.grid import Grid
from recsparse.sparse.slicing import sampled, sliced, slices_of
from tests.random_grids import random_tensor, sparse_tensors

bounds = st.none() | st.integers(-5, 5)
slices = st.builds(slice, bounds, bounds, st.none() | st.integers(1, 3))


@given(st.data(), st.integers(1, 3))
def test_a_box_of_the_cells_is_the_box_of_the_dense_tensor(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, max_size=4))()
    key = tuple(data.draw(st.lists(slices, max_size=2 + num_axes)))
    if data.draw(st.booleans()):
        key = (*key[:-1], ...) if len(key) == 2 + num_axes else (..., *key)
    part = x[key]
    assert torch.equal(part.to_dense(), x.to_dense()[key])
    assert (part.grid.keys.diff() > 0).all()


def test_a_box_of_all_cells_and_some_channels_stays_on_the_grid():
    x = random_tensor((3, 3), channels=3)
    assert x[:, 1:].grid is x.grid
    assert x[...].grid is x.grid
    assert x[0:1, :, 0:3, :3].grid is x.grid
    assert x[:, :, 1:].grid is not x.grid


def test_a_box_keeps_cells_far_out():
    coords = torch.tensor([[0, 5, 2**31 - 2], [0, 7, 2**31 - 1]])
    grid = Grid(coords, (9, 2**31), 1)
    part, rows = sliced(grid, [slice(None), slice(6, None), slice(-1, None)])
    assert (part.spatial_shape, part.coords.tolist(), rows.tolist()) == ((3, 1), [[0, 1, 0]], [1])


def test_gradients_reach_the_cells_of_the_box_alone():
    x = random_tensor((3, 4), 2, 2, seed=3)

    def squares(feats):
        return x.with_feats(feats)[1:, 1:, ..., ::2].feats.square()

    feats = x.feats.clone().requires_grad_()
    assert torch.autograd.gradcheck(squares, feats)
    assert torch.autograd.gradgradcheck(squares, feats)


@pytest.mark.parametrize("key", [0, (slice(None), 1), None, [0, 1], (..., True)])
def test_a_key_that_is_no_slice_is_refused(unchecked_types, key):
    with pytest.raises(InputTypeError, match=r"takes slices of .* keep the dimension, as x"):
        random_tensor((3, 3))[key]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (slice(None, None, -1), "the step of a slice must be positive, but got -1"),
        ((slice(None),) * 5, "one slice for each of 4 dimensions"),
        ((..., slice(2), ...), "at most one ... and one slice"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(key, message):
    with pytest.raises(InputError, match=message):
        slices_of(key, 4)


def test_a_sparse_tensor_is_no_sequence_to_loop_over(unchecked_types):
    with pytest.raises(InputTypeError, match="takes slices"):
        list(random_tensor((3, 3)))


@given(st.data(), st.integers(1, 3))
def test_samples_are_those_of_the_dense_tensor(data, batch_size):
    x = data.draw(sparse_tensors(2, batch_size=batch_size))()
    wanted = data.draw(st.lists(st.integers(0, batch_size - 1), max_size=4))
    index = torch.tensor(wanted, dtype=torch.int64)
    part = x.samples(index)
    assert torch.equal(part.to_dense(), x.to_dense()[index])
    assert (part.grid.keys.diff() > 0).all()


def test_gradients_of_a_repeated_sample_add_up():
    x = random_tensor((3,), 2, 2, seed=1)
    index = torch.tensor([1, 1, 0])

    def squares(feats):
        return x.with_feats(feats).samples(index).feats.square()

    feats = x.feats.clone().requires_grad_()
    assert torch.autograd.gradcheck(squares, feats)
    assert torch.autograd.gradgradcheck(squares, feats)


@pytest.mark.parametrize("wrong", [2, -1])
def test_a_sample_that_is_not_there_is_refused(wrong):
    with pytest.raises(InputError, match=rf"from 0 to 1, .* 1 of 2 .* index\[1\] = {wrong}"):
        sampled(random_tensor((3,), 2).grid, torch.tensor([0, wrong]))


@pytest.mark.parametrize("wrong", [[0, 1], torch.tensor([True, False]), torch.tensor([0.0])])
def test_samples_are_given_by_a_tensor_of_integers(unchecked_types, wrong):
    with pytest.raises(InputTypeError, match="by a tensor of 64-bit integers, but got"):
        random_tensor((3,), 2).samples(wrong)
