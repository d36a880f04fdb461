from collections import defaultdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.grid import Grid
from recsparse.sparse.positions import from_positions, to_positions
from tests.random_grids import random_tensor, sparse_tensors


def cells_by_position(x, axis):
    """Return {cell: features} with each line's cells numbered in a loop."""
    lines = defaultdict(list)
    for cell, row in zip(x.coords.tolist(), x.feats.tolist(), strict=True):
        time = cell.pop(1 + axis)
        lines[tuple(cell)].append((time, row))
    found = {}
    for line, events in lines.items():
        for position, (_, row) in enumerate(sorted(events)):
            cell = list(line)
            cell.insert(1 + axis, position)
            found[tuple(cell)] = row
    return found


@given(st.data(), st.integers(1, 3))
def test_each_cell_moves_to_its_rank_in_its_line(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, max_size=4))()
    axis = data.draw(st.integers(0, num_axes - 1))
    moved = to_positions(x, axis)
    cells = map(tuple, moved.coords.tolist())
    assert dict(zip(cells, moved.feats.tolist(), strict=True)) == cells_by_position(x, axis)
    assert (moved.grid.keys.diff() > 0).all()
    assert (moved.spatial_shape, moved.batch_size) == (x.spatial_shape, x.batch_size)


@given(st.data(), st.integers(1, 3))
def test_the_way_back_leads_to_the_cells_and_features_of_before(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, max_size=4))()
    axis = data.draw(st.integers(-num_axes, num_axes - 1))
    back = from_positions(to_positions(x, axis), x, axis)
    assert back.grid is x.grid
    assert torch.equal(back.feats, x.feats)


def test_times_far_apart_become_neighbours_and_the_last_axis_keeps_the_rows():
    coords = torch.tensor([[0, 0, 7], [0, 0, 2**29], [0, 1, 2**30 - 1]])
    grid, order = Grid(coords, (2, 2**30), 1).position_grid(1)
    assert grid.coords.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert order is None


def test_tensors_on_one_grid_share_the_grid_of_positions():
    x = random_tensor((3, 4))
    moved = to_positions(x)
    assert to_positions(x.with_feats(2 * x.feats)).grid is moved.grid
    assert to_positions(x, -1).grid is to_positions(x, 1).grid
    assert to_positions(x, 0).grid is not moved.grid
    assert moved.feats is x.feats


@pytest.mark.parametrize("axis", [0, 1])
def test_gradients_go_there_and_back(axis):
    x = random_tensor((3, 4), batch_size=2, channels=2)
    slope = torch.randn(x.feats.shape, dtype=torch.float64, generator=torch.Generator())

    def there_and_back(feats):
        moved = to_positions(x.with_feats(feats), axis)
        back = from_positions(moved.with_feats(moved.feats.square()), x, axis)
        return back.feats * slope

    feats = x.feats.clone().requires_grad_()
    assert torch.autograd.gradcheck(there_and_back, feats)
    assert torch.autograd.gradgradcheck(there_and_back, feats)


def test_an_equal_grid_leads_back_and_another_one_does_not():
    x = random_tensor((3, 4), seed=1)
    twin = to_positions(random_tensor((3, 4), seed=1))
    assert torch.equal(from_positions(twin, x).feats, x.feats)
    for other in (x, to_positions(x, 0), random_tensor((3, 5)), random_tensor((3, 4), 2)):
        with pytest.raises(InputError, match=r"on the cells of to_positions\(like, axis=-1\)"):
            from_positions(other, x)


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there_is_refused(axis):
    x = random_tensor((3, 4))
    with pytest.raises(InputError, match=f"axis must be from -2 to 1, but got {axis}"):
        to_positions(x, axis)
    with pytest.raises(InputError, match=f"axis must be from -2 to 1, but got {axis}"):
        from_positions(x, x, axis)
