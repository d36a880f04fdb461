import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse import lines
from recsparse.sparse.lines import active_lines, line_keys
from tests.random_grids import random_tensor, sparse_tensors

some_axes = st.lists(st.integers(0, 2), unique=True)


@pytest.mark.parametrize("places_per_cell", [0, 4, 10**6], ids=["sorted", "either", "counted"])
@given(make=sparse_tensors(3, channels=1, max_size=3), kept_axes=some_axes)
def test_active_lines_are_the_distinct_places_on_the_kept_axes(places_per_cell, make, kept_axes):
    x = make()
    places = [(cell[0], *(cell[1 + axis] for axis in kept_axes)) for cell in x.coords.tolist()]
    expected = sorted(set(places))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_PLACES_PER_CELL", places_per_cell)
        coords, line = active_lines(x.coords, x.spatial_shape, x.batch_size, kept_axes)
    assert coords.shape == (len(expected), 1 + len(kept_axes))
    assert [tuple(place) for place in coords.tolist()] == expected
    assert [expected[number] for number in line.tolist()] == places


@given(make=sparse_tensors(3, channels=1, max_size=3), kept_axes=some_axes)
def test_keys_count_all_lines_in_row_major_order(make, kept_axes):
    x = make()
    sizes = [x.batch_size, *(x.spatial_shape[axis] for axis in kept_axes)]
    line, num_lines = line_keys(x.coords, x.spatial_shape, x.batch_size, kept_axes)
    numbers = torch.arange(num_lines).reshape(sizes)
    places = x.coords[:, [0, *(1 + axis for axis in kept_axes)]]
    assert torch.equal(line, numbers[tuple(places.T)])


def test_lines_of_a_grid_too_large_to_be_counted_are_sorted():
    coords = torch.tensor([[0, 5, 2**31 - 2], [0, 2**31 - 2, 3]])
    shape = (2**31 - 1, 2**31 - 1)
    found, line = active_lines(coords, shape, 1, (0, 1))
    assert torch.equal(found, coords)
    assert line.tolist() == [0, 1]


def test_a_grid_remembers_its_lines():
    x = random_tensor((4, 3), batch_size=2)
    grid, line = x.grid.lines((1,))
    assert (grid.spatial_shape, grid.batch_size) == ((3,), 2)
    assert x.grid.lines([1])[0] is grid
    assert torch.equal(grid.coords[line], x.coords[:, [0, 2]])
    assert x.grid.lines((0,))[0] is not grid


@pytest.mark.parametrize("axes", [(2,), (0, -1)])
def test_an_axis_that_the_grid_lacks_is_refused(axes):
    with pytest.raises(InputError, match="axes must be from 0 to 1, but got"):
        random_tensor((2, 2)).grid.lines(axes)
