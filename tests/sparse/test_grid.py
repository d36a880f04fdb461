import pytest
import torch
from hypothesis import given

from recsparse.errors import InputError
from recsparse.sparse.grid import Grid
from recsparse.sparse.kernel_map import submanifold_kernel_map
from tests.grids import random_tensor, sparse_tensors


@given(sparse_tensors(channels=1))
def test_the_keys_of_a_grid_rise_strictly(make):
    grid = make().grid
    assert (grid.keys.diff() > 0).all()
    assert len(grid.keys) == grid.num_cells


def test_a_kernel_map_is_computed_once_a_kernel_and_dilation():
    grid = random_tensor((4, 4)).grid
    first = grid.submanifold_map((3, 3), (1, 1))
    assert grid.submanifold_map([3, 3], [1, 1]) is first
    assert grid.submanifold_map((3, 3), (2, 1)) is not first
    assert grid.submanifold_map((3, 1), (1, 1)) is not first


def test_the_remembered_map_is_that_of_the_kernel():
    grid = random_tensor((5, 4), batch_size=2).grid
    remembered = grid.submanifold_map((3, 5), (2, 1))
    direct = submanifold_kernel_map(grid.coords, grid.spatial_shape, (3, 5), (2, 1))
    assert torch.equal(remembered.in_index, direct.in_index)
    assert torch.equal(remembered.out_index, direct.out_index)
    assert torch.equal(remembered.tap_ptr, direct.tap_ptr)


def test_selecting_keeps_order_and_shape_but_not_the_kernel_maps():
    grid = random_tensor((3, 3), density=1.0).grid
    grid.submanifold_map((3, 3), (1, 1))
    mask = torch.arange(9) % 2 == 0
    some = grid.select(mask)
    assert some.coords.tolist() == [[0, 0, 0], [0, 0, 2], [0, 1, 1], [0, 2, 0], [0, 2, 2]]
    assert (some.spatial_shape, some.batch_size) == ((3, 3), 1)
    assert some.submanifold_map((3, 3), (1, 1)).num_in == 5


def test_a_grid_that_is_where_it_should_be_is_itself():
    grid = random_tensor((3, 3)).grid
    assert grid.to("cpu") is grid
    moved = grid.to("meta")
    assert moved.coords.device.type == "meta"
    assert (moved.spatial_shape, moved.batch_size) == ((3, 3), 1)


def test_more_cells_than_63_bits_count_are_refused():
    with pytest.raises(InputError, match="must fit 63 bits"):
        Grid(torch.zeros(0, 3, dtype=torch.int64), (2**32, 2**31), 1)


def test_a_grid_says_its_sizes():
    expected = "Grid(9 cells, spatial_shape=(3, 3), batch_size=1)"
    assert repr(random_tensor((3, 3), density=1.0).grid) == expected
