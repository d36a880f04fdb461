import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from recsparse.errors import InputError
from recsparse.grids import grid_plot
from recsparse.grids.grid_plot import active_shares, plot_grids
from recsparse.grids.interaction_grid import interactions_to_grid
from recsparse.sparse.tensor import SparseTensor


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1), st.integers(0, 99))
def test_a_square_shows_the_share_of_its_cells(users, items, density, seed):
    matrix = csr_matrix(random_array((users, items), density=density, rng=seed))
    filled = matrix.toarray() != 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid_plot, "MOST_SQUARES", 3)
        shares = active_shares(interactions_to_grid(matrix))
    expected = [
        [block.mean() for block in np.array_split(half, min(items, 3), axis=1)]
        for half in np.array_split(filled, min(users, 3), axis=0)
    ]
    assert shares.shape == np.shape(expected)
    # Where a size is no multiple of 3 the longer ranges are elsewhere, but there are as many.
    if users % 3 == items % 3 == 0:
        assert shares == pytest.approx(np.array(expected))
    else:
        assert 0 <= shares.min() <= shares.max() <= 1


def test_no_active_cell_is_lost_between_the_squares(monkeypatch):
    monkeypatch.setattr(grid_plot, "MOST_SQUARES", 4)
    shares = active_shares(interactions_to_grid(csr_matrix(np.ones((7, 10)))))
    assert shares.tolist() == np.ones((4, 4)).tolist()


def test_a_figure_has_a_panel_a_grid_with_its_locality_on_one_scale():
    full = interactions_to_grid(csr_matrix(np.ones((2, 2))))
    empty = interactions_to_grid(csr_matrix((3, 5)))
    figure = plot_grids({"before": empty, "after": full})
    panels = figure.axes[:2]
    titles = [panel.get_title() for panel in panels]
    assert titles == ["before\nlocality nan", "after\nlocality 3.000"]
    first, second = (panel.images[0] for panel in panels)
    assert first.norm is second.norm
    assert second.get_array().tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert figure.axes[2].get_ylabel() == "share of active cells"


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_a_grid_without_places_can_be_drawn(shape, tmp_path):
    plot_grids({"nothing": interactions_to_grid(csr_matrix(shape))}).savefig(tmp_path / "a.png")


def test_grids_that_are_no_picture_are_refused():
    with pytest.raises(InputError, match="needs at least one grid"):
        plot_grids({})
    with pytest.raises(
        InputError, match=r"two axes, but got batch_size 1 and spatial_shape \(3,\)"
    ):
        plot_grids({"line": SparseTensor.from_dense(torch.ones(1, 1, 3))})
    with pytest.raises(InputError, match="but got batch_size 2"):
        plot_grids({"batch": SparseTensor.from_dense(torch.ones(2, 1, 3, 3))})
