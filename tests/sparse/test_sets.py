import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.sets import difference, grid_of, intersection, rows_of, union
from tests.random_grids import random_tensor, two_grids

OPERATIONS = [(union, set.union), (intersection, set.intersection), (difference, set.difference)]


def cells(grid):
    return {tuple(cell) for cell in grid.coords.tolist()}


@pytest.mark.parametrize(("ours", "pythons"), OPERATIONS)
@given(drawn=two_grids())
def test_grids_are_combined_as_python_sets_are(ours, pythons, drawn):
    first, second = (random_tensor(*part).grid for part in drawn)
    result = ours(first, second)
    assert cells(result) == pythons(cells(first), cells(second))
    assert (result.keys.diff() > 0).all()
    assert (result.spatial_shape, result.batch_size) == (first.spatial_shape, first.batch_size)


def test_a_result_that_is_one_of_the_grids_keeps_its_kernel_maps():
    large = random_tensor((3, 3), density=1.0).grid
    small = large.select(torch.arange(9) < 4)
    other = large.select(torch.arange(9) >= 4)
    assert union(large, small) is union(small, large) is union(large, large) is large
    assert intersection(large, small) is intersection(small, large) is small
    assert difference(small, other) is small
    assert union(small, other).num_cells == 9
    assert difference(small, small).num_cells == 0


@pytest.mark.parametrize("operation", [union, intersection, difference])
def test_grids_of_other_spaces_are_not_combined(operation):
    grid = random_tensor((2, 3)).grid
    with pytest.raises(InputError, match=r"one spatial_shape, but got \(2, 3\) and \(2, 2\)"):
        operation(grid, random_tensor((2, 2)).grid)
    with pytest.raises(InputError, match="one batch_size, but got 1 and 2"):
        operation(grid, random_tensor((2, 3), 2).grid)
    with pytest.raises(InputError, match="one device, but got cpu and meta; move one"):
        operation(grid, grid.to("meta"))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 2))))
def test_a_grid_holds_the_cells_named_each_once(named):
    coords = torch.tensor(named, dtype=torch.int32).reshape(-1, 3)
    grid = grid_of(coords, [4, 3], 2)
    assert grid.coords.tolist() == [list(cell) for cell in sorted(set(named))]
    assert grid.coords.dtype == torch.int64


def test_cells_outside_the_shape_make_no_grid():
    with pytest.raises(InputError, match=r"the first is coords\[1\] = \[0, 2\]"):
        grid_of(torch.tensor([[0, 1], [0, 2]]), (2,), 1)


@given(st.integers(0, 99), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3))))
def test_rows_are_found_where_a_loop_finds_them(seed, wanted):
    grid = random_tensor((3, 4), seed=seed).grid
    known = grid.coords.tolist()
    queries = [[0, *place] for place in wanted]
    found = rows_of(grid, torch.tensor(queries, dtype=torch.int64).reshape(-1, 3))
    assert found.tolist() == [known.index(cell) if cell in known else -1 for cell in queries]


def test_cells_on_another_device_are_not_looked_up():
    grid = random_tensor((3,)).grid.to("meta")
    with pytest.raises(InputError, match="on the device of the grid, meta, but are on cpu"):
        rows_of(grid, torch.tensor([[0, 1]]))
