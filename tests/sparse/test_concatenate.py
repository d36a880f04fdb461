import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.concatenate import cat
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from tests.random_grids import random_tensor


@st.composite
def tensors_to_join(draw):
    """Draw a dimension and how to make tensors that differ in size along it."""
    num_axes = draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(0, 3), min_size=2 + num_axes, max_size=2 + num_axes))
    dim = draw(st.integers(0, 1 + num_axes))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        sizes[dim] = draw(st.integers(0, 3))
        batch_size, channels, *shape = sizes
        density, seed = draw(st.sampled_from([0.0, 0.5, 1.0])), draw(st.integers(0, 99))
        parts.append((tuple(shape), batch_size, channels, density, seed))
    return dim, parts


@given(tensors_to_join())
def test_concatenating_concatenates_the_dense_tensors(case):
    dim, parts = case
    tensors = [random_tensor(*part) for part in parts]
    together = cat(tensors, dim)
    assert torch.equal(together.to_dense(), torch.cat([x.to_dense() for x in tensors], dim))
    assert (together.grid.keys.diff() > 0).all()
    assert together.grid.num_cells == len(
        {
            (number if dim != 1 else 0, *cell)
            for number, x in enumerate(tensors)
            for cell in x.coords.tolist()
        }
    )


def test_channels_on_one_grid_stay_on_it():
    x = random_tensor((3, 3), channels=2)
    assert cat([x, x.with_feats(x.feats[:, :1])], dim=1).grid is x.grid


@pytest.mark.parametrize("dim", [0, 1, 2, 3])
def test_gradients_reach_every_part(dim):
    first, second = random_tensor((2, 3), 1, 2, seed=1), random_tensor((2, 3), 1, 2, seed=2)

    def squares(left, right):
        return cat([first.with_feats(left), second.with_feats(right)], dim).feats.square()

    feats = [x.feats.clone().requires_grad_() for x in (first, second)]
    assert torch.autograd.gradcheck(squares, feats)
    assert torch.autograd.gradgradcheck(squares, feats)


def test_concatenating_leaves_its_arguments_as_they_are():
    x = SparseTensor.from_dense(torch.ones(1, 1, 2))
    assert cat([x, x]).coords.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert x.coords.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("dim", "shape", "batch_size", "channels", "found"),
    [
        (0, (2, 3), 1, 1, r"\(1, 1, 2, 3\)"),
        (0, (2, 2), 1, 5, r"\(1, 5, 2, 2\)"),
        (1, (2, 2), 3, 1, r"\(3, 1, 2, 2\)"),
        (2, (2, 3), 1, 1, r"\(1, 1, 2, 3\)"),
        (3, (2, 2, 2), 1, 1, r"\(1, 1, 2, 2, 2\)"),
    ],
)
def test_tensors_that_do_not_fit_are_not_concatenated(dim, shape, batch_size, channels, found):
    x, other = random_tensor((2, 2)), random_tensor(shape, batch_size, channels)
    message = rf"tensors\[0\] is \(1, 1, 2, 2\) and tensors\[2\] {found}"
    with pytest.raises(InputError, match=message):
        cat([x, x, other], dim)


def test_what_else_cannot_be_concatenated_is_refused():
    x = random_tensor((2, 2))
    with pytest.raises(InputError, match="but got no tensor"):
        cat([])
    for dim in (-1, 4):
        with pytest.raises(InputError, match=f"dim must be from 0 to 3, .* but got {dim}"):
            cat([x], dim)
    with pytest.raises(InputError, match=r"tensors\[0\] is on cpu and tensors\[1\] on meta"):
        cat([x, x.to("meta")])


@pytest.mark.parametrize("dim", [0, 2])
def test_more_cells_than_63_bits_count_are_not_concatenated(dim):
    x = sparse_tensor(torch.tensor([[0, 0, 0]]), torch.ones(1, 1), (2**31, 2**31), 1)
    with pytest.raises(InputError, match="must fit 63 bits"):
        cat([x, x], dim)
