import math

import pytest
import torch
from hypothesis import given

from recsparse.sparse.grid import Grid
from recsparse.sparse.kernel import Kernel
from tests.random_grids import random_tensor, sparse_tensors


@given(sparse_tensors(2, channels=1))
def test_the_pairs_of_a_tap_are_the_cells_with_a_neighbour_there(make):
    x = make()
    x.grid.submanifold_map((3, 3), (1, 1))
    active = {tuple(cell) for cell in x.coords.tolist()}
    expected = tuple(
        sum((b, row + down, column + right) in active for b, row, column in active)
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    )
    (found,) = x.grid.stats().kernel_maps
    assert found.pairs_per_tap == expected
    assert found.num_pairs == sum(expected)
    if active:
        assert found.mean_neighbours == sum(expected) / len(active)
    else:
        assert math.isnan(found.mean_neighbours)


def test_the_share_of_active_cells_counts_all_samples():
    stats = random_tensor((3, 4), batch_size=2, density=0.5).grid.stats()
    assert stats.share_active == stats.num_cells / (2 * 3 * 4)
    assert math.isnan(random_tensor((0, 4)).grid.stats().share_active)


def test_memory_is_that_of_the_coordinates_and_of_every_map():
    grid = random_tensor((5, 5), density=1.0).grid
    assert grid.stats().num_bytes == grid.stats().coords_bytes == 25 * 3 * 8
    kernel_map = grid.submanifold_map((3, 3), (1, 1))
    assert grid.stats().num_bytes == 25 * 3 * 8 + kernel_map.num_bytes


def test_maps_onto_other_grids_are_told_from_each_other():
    grid = random_tensor((4, 4), density=1.0).grid
    kernel = Kernel.of(2, 2, stride=2)
    coarse = grid.conv_grid(kernel)
    grid.map_onto(coarse, kernel)
    wide = grid.conv_transpose_grid(kernel, (0, 0))
    grid.transposed_map_onto(wide, kernel)
    candidates = Grid(torch.tensor([[0, 0, 1]]), (2, 2), 1)
    grid.map_onto(candidates, kernel)
    grid.map_onto_itself(Kernel.of(2, 3, padding=(2, 1)))
    onto_itself, onto_coarse, from_wide, onto_candidates = grid.stats().kernel_maps
    assert onto_itself.name == "kernel_size=(3, 3) dilation=(1, 1) padding=(2, 1)"
    assert onto_coarse.name.startswith("onto Grid(4 cells")
    assert onto_coarse.pairs_per_tap == (4, 4, 4, 4)
    assert from_wide.name.startswith("from Grid(64 cells")
    assert onto_candidates.name.startswith("onto Grid(1 cells")
    assert onto_candidates.mean_neighbours == 4


def test_a_map_by_a_table_of_neighbours_is_counted():
    grid = random_tensor((2, 3), density=1.0).grid
    grid.neighbour_map(torch.tensor([[0, 1], [1, -1], [2, 0]]), 1)
    (found,) = grid.stats().kernel_maps
    assert found.name == "neighbours on axis 1"
    assert found.pairs_per_tap == (2 * 3, 2 * 2)


def test_asking_computes_and_changes_nothing():
    grid = random_tensor((3, 3)).grid
    assert grid.stats().kernel_maps == ()
    assert grid.stats() == grid.stats()


@pytest.mark.parametrize(
    ("size", "shown"),
    [((3,), "by tap 3, 4, 3"), ((31,), "by tap 31 taps of 0 to 4")],
)
def test_what_is_printed_lists_few_taps_and_sums_many_up(size, shown):
    grid = random_tensor((4,), density=1.0).grid
    grid.submanifold_map(size, (1,))
    first, second = repr(grid.stats()).splitlines()
    assert first.startswith("4 cells of 1 × 4, 100.000% active, coordinates 64 B")
    assert second.endswith(shown)
