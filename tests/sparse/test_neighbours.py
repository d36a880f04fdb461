import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.sparse.neighbours import (
    NeighbourMaps,
    neighbour_kernel_map,
    remembered_neighbour_map,
)
from tests.random_grids import random_tensor, sparse_tensors


def random_table(num_places, num_neighbours, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-1, num_places, (num_places, num_neighbours), generator=generator)


@given(st.data(), st.integers(1, 3))
def test_each_tap_joins_the_cells_that_a_dictionary_joins(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, channels=1, min_size=1, max_size=4))()
    axis, taps = data.draw(st.integers(0, num_axes - 1)), data.draw(st.integers(1, 3))
    table = random_table(x.spatial_shape[axis], taps, seed=data.draw(st.integers(0, 99)))
    kernel_map = neighbour_kernel_map(x.coords, x.spatial_shape, table, axis)
    row = {tuple(cell): number for number, cell in enumerate(x.coords.tolist())}
    for tap in range(taps):
        expected = []
        for cell, number in row.items():
            read = list(cell)
            read[1 + axis] = int(table[cell[1 + axis], tap])
            if tuple(read) in row:
                expected.append((row[tuple(read)], number))
        into, out = kernel_map.tap(tap)
        assert list(zip(into.tolist(), out.tolist(), strict=True)) == expected
    assert kernel_map.num_taps == taps
    assert kernel_map.num_in == kernel_map.num_out == len(x.feats)
    assert kernel_map.in_index.dtype == kernel_map.out_index.dtype == torch.int32


def test_a_place_before_the_first_and_after_the_last_is_no_cell_of_another_line():
    # The key of (1, 0) less one step is that of (0, 2).
    coords = torch.tensor([[0, 0, 2], [0, 1, 0]])
    kernel_map = neighbour_kernel_map(coords, (2, 3), torch.full((3, 1), -1), 1)
    assert kernel_map.num_pairs == 0


def test_a_map_is_computed_once_for_each_table_axis_and_state_of_the_table():
    x, maps = random_tensor((4, 4)), NeighbourMaps()
    table, other = random_table(4, 2, seed=0), random_table(4, 2, seed=0)

    def found(table, axis):
        return remembered_neighbour_map(maps, x.coords, x.spatial_shape, table, axis)

    first = found(table, 1)
    assert found(table, 1) is first
    assert found(other, 1) is not first
    assert found(table, 0) is not first
    assert found(table, 1) is first
    table.fill_(-1)
    assert first.num_pairs > 0
    assert found(table, 1).num_pairs == 0
    assert len(maps) == 3


def test_a_table_that_went_away_is_not_mistaken_for_the_next_one():
    x, maps = random_tensor((4, 4)), NeighbourMaps()
    for seed in range(20):
        table = random_table(4, 2, seed)
        found = remembered_neighbour_map(maps, x.coords, x.spatial_shape, table, 1)
        expected = neighbour_kernel_map(x.coords, x.spatial_shape, table, 1)
        assert torch.equal(found.in_index, expected.in_index)
        del table
