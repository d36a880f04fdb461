import pytest
import torch

from recsparse.errors import InputError
from recsparse.sparse.grid import Grid


@pytest.mark.parametrize("rows", [[[0, 2], [0, 1]], [[0, 1], [0, 1]], [[1, 0], [0, 3]]])
def test_a_grid_by_hand_must_be_sorted_without_repetition(rows):
    coords = torch.tensor(rows)
    with pytest.raises(InputError, match=r"sorted .* each cell once, .* coords\[1\] = .*grid_of"):
        Grid(coords, (4,), 2)
    assert Grid(coords, (4,), 2, trusted=True).num_cells == 2


@pytest.mark.parametrize("rows", [[[0, -1]], [[0, 4]], [[2, 0]], [[-1, 0]]])
def test_a_grid_by_hand_must_lie_in_its_shape(rows):
    with pytest.raises(InputError, match=r"non-negative and below \[2, 4\]"):
        Grid(torch.tensor(rows), (4,), 2)
