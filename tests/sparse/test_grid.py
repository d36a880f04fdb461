import copy
import pickle
import weakref

import pytest
import torch
from hypothesis import given

from recsparse.errors import InputError
from recsparse.sparse.grid import Grid
from recsparse.sparse.kernel import Kernel
from recsparse.sparse.kernel_map import submanifold_kernel_map
from tests.random_grids import random_tensor, sparse_tensors


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


DOWN = Kernel.of(2, 3, stride=2, padding=1)


def test_the_cells_that_a_kernel_makes_active_are_one_grid_at_every_call():
    grid = random_tensor((5, 4), batch_size=2).grid
    made = grid.conv_grid(DOWN)
    assert (made.spatial_shape, made.batch_size) == ((3, 2), 2)
    assert grid.conv_grid(Kernel.of(2, 3, stride=2, padding=1)) is made
    assert grid.conv_grid(Kernel.of(2, 3, stride=2)) is not made
    spread = grid.conv_transpose_grid(DOWN, (1, 0))
    assert (spread.spatial_shape, spread.batch_size) == ((10, 7), 2)
    assert grid.conv_transpose_grid(DOWN, [1, 0]) is spread
    assert grid.conv_transpose_grid(DOWN, (0, 0)) is not spread


def test_a_map_onto_another_grid_is_computed_once_a_grid_and_kernel():
    grid = random_tensor((5, 4), batch_size=2).grid
    made, given = grid.conv_grid(DOWN), random_tensor((3, 2), batch_size=2, seed=1).grid
    for out in (made, given):
        first = grid.map_onto(out, DOWN)
        assert grid.map_onto(out, Kernel.of(2, 3, stride=2, padding=1)) is first
        assert grid.map_onto(out, Kernel.of(2, (3, 4), stride=2, padding=1)) is not first
    assert grid.map_onto(made, DOWN) is not grid.map_onto(given, DOWN)


def test_maps_back_to_the_cells_that_made_a_grid_are_the_same_maps():
    grid = random_tensor((3, 2), batch_size=2).grid
    spread = grid.conv_transpose_grid(DOWN, (0, 0))
    back = grid.transposed_map_onto(spread, DOWN)
    kernel_map = spread.map_onto(grid, DOWN)
    assert (back.num_in, back.num_out) == (grid.num_cells, spread.num_cells)
    assert back.in_index is kernel_map.out_index
    assert grid.transposed_map_onto(spread, DOWN).in_index is back.in_index


def test_an_unrelated_grid_is_refused():
    grid = random_tensor((5, 4), batch_size=2).grid
    for shape, batch_size in (((5, 4), 2), ((3, 2), 1)):
        other = random_tensor(shape, batch_size).grid
        with pytest.raises(InputError, match=r"to spatial_shape \(3, 2\) and batch_size 2, but"):
            grid.map_onto(other, DOWN)
    with pytest.raises(InputError, match="on one device, but got cpu and meta; move one by"):
        grid.map_onto(grid.conv_grid(DOWN).to("meta"), DOWN)


def test_kernel_maps_are_freed_with_either_of_their_grids():
    grid = random_tensor((5, 4), batch_size=2).grid
    given = random_tensor((3, 2), batch_size=2, seed=1).grid
    own = weakref.ref(grid.submanifold_map((3, 3), (1, 1)))
    onto_made = weakref.ref(grid.map_onto(grid.conv_grid(DOWN), DOWN))
    onto_given = weakref.ref(grid.map_onto(given, DOWN))
    assert None not in (own(), onto_made(), onto_given())
    del given
    assert onto_given() is None
    del grid
    assert own() is None
    assert onto_made() is None


def test_a_pickled_or_copied_grid_computes_its_maps_anew():
    grid = random_tensor((5, 4), batch_size=2).grid
    grid.map_onto(grid.conv_grid(DOWN), DOWN)
    kernel_map = grid.submanifold_map((3, 3), (1, 1))
    for other in (pickle.loads(pickle.dumps(grid)), copy.deepcopy(grid)):
        assert torch.equal(other.coords, grid.coords)
        assert (other.spatial_shape, other.batch_size) == ((5, 4), 2)
        assert other.submanifold_map((3, 3), (1, 1)) is not kernel_map
        assert torch.equal(other.submanifold_map((3, 3), (1, 1)).in_index, kernel_map.in_index)


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


@pytest.mark.parametrize(
    ("coords", "message"),
    [
        (torch.zeros(1, 3), r"of signed integers, but got torch.float32"),
        (torch.zeros(1, 2, dtype=torch.int64), r"3 columns .* but got shape \(1, 2\)"),
        (torch.zeros(3, dtype=torch.int64), r"3 columns .* but got shape \(3,\)"),
    ],
)
def test_coordinates_that_compiled_code_would_misread_are_refused(unchecked_types, coords, message):
    with pytest.raises(InputError, match=message):
        Grid(coords, (2, 2), 1)


def test_a_grid_says_its_sizes():
    expected = "Grid(9 cells, spatial_shape=(3, 3), batch_size=1)"
    assert repr(random_tensor((3, 3), density=1.0).grid) == expected


@pytest.mark.parametrize("multiple", [1, 2, 4])
def test_axes_rounded_up_end_at_the_multiple_and_hold_the_same_cells(multiple):
    grid = random_tensor((1, 4, 6), 2).grid
    rounded = grid.rounded_up(multiple)
    expected = {1: (1, 4, 6), 2: (2, 4, 6), 4: (4, 4, 8)}
    assert rounded.spatial_shape == expected[multiple]
    assert rounded.coords is grid.coords
    assert (rounded is grid) == (multiple == 1)
    assert grid.rounded_up(multiple) is rounded


def test_a_map_onto_the_own_cells_follows_the_padding_and_is_computed_once():
    grid = random_tensor((3, 4), density=1.0).grid
    ahead, behind = (Kernel.of(2, (1, 2), padding=(0, reach)) for reach in (0, 1))
    into, out = grid.map_onto_itself(ahead).tap(1)
    assert (grid.coords[into, 2] - grid.coords[out, 2]).unique().tolist() == [1]
    into, out = grid.map_onto_itself(behind).tap(0)
    assert (grid.coords[into, 2] - grid.coords[out, 2]).unique().tolist() == [-1]
    assert grid.map_onto_itself(behind) is grid.map_onto_itself(behind)
