import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.orders.fit_order import Activity, fit_order
from recsparse.errors import InputError
from recsparse.grids.interaction_grid import interactions_to_grid, locality
from recsparse.sparse.tensor import sparse_tensor

sizes = st.integers(0, 6)


def random_case(num_users, num_items, density, seed):
    rng = np.random.default_rng(seed)
    matrix = csr_matrix(
        random_array((num_users, num_items), density=density, rng=rng, dtype=np.float32)
    )
    return matrix, AxisOrder(rng.permutation(num_users)), AxisOrder(rng.permutation(num_items))


@given(sizes, sizes, st.floats(0, 1), st.integers(0, 99))
def test_each_interaction_stands_at_the_rank_of_its_user_and_item(users, items, density, seed):
    matrix, user_order, item_order = random_case(users, items, density, seed)
    x = interactions_to_grid(matrix, user_order, item_order)
    dense = np.zeros((users, items), dtype=np.float32)
    for user in range(users):
        for item in range(items):
            dense[user_order.rank[user], item_order.rank[item]] = matrix[user, item]
    assert x.to_dense().numpy().tolist() == [[dense.tolist()]]
    assert x.feats.dtype == torch.float32


def test_without_orders_the_places_are_the_indices():
    matrix = csr_matrix([[0.0, 2], [3, 0]])
    x = interactions_to_grid(matrix)
    assert x.coords.tolist() == [[0, 0, 1], [0, 1, 0]]


def test_duplicates_are_summed_and_stored_zeros_stay_cells():
    matrix = csr_matrix((np.array([1.0, 2, 0]), np.array([0, 0, 1]), np.array([0, 3])))
    assert interactions_to_grid(matrix).feats.tolist() == [[3.0], [0.0]]


def test_an_order_of_another_length_is_refused():
    order = AxisOrder.identity(3)
    with pytest.raises(InputError, match="user_order must have one rank for each of 2, but has 3"):
        interactions_to_grid(csr_matrix((2, 4)), order)
    with pytest.raises(InputError, match="item_order must have one rank for each of 4, but has 3"):
        interactions_to_grid(csr_matrix((2, 4)), None, order)


def neighbours_one_by_one(x, window):
    cells = {tuple(cell) for cell in x.coords.tolist()}
    reach = range(-(window // 2), window // 2 + 1)
    counts = [
        sum((b, r + i, c + j) in cells for i in reach for j in reach if (i, j) != (0, 0))
        for b, r, c in cells
    ]
    return sum(counts) / len(counts)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99), st.sampled_from([1, 3, 5]))
def test_locality_counts_the_neighbours_of_each_cell(users, items, seed, window):
    matrix, user_order, _ = random_case(users, items, 0.5, seed)
    x = interactions_to_grid(matrix, user_order)
    if matrix.nnz:
        assert locality(x, window) == pytest.approx(neighbours_one_by_one(x, window))


def test_locality_works_on_one_axis_and_does_not_cross_samples():
    coords = torch.tensor([[0, 1], [0, 2], [1, 0]])
    assert locality(sparse_tensor(coords, torch.ones(3, 1), (3,), 2)) == pytest.approx(2 / 3)


def test_locality_of_no_cell_is_undefined():
    assert math.isnan(locality(interactions_to_grid(csr_matrix((2, 2)))))


def test_an_even_window_is_refused():
    with pytest.raises(InputError, match="must be odd"):
        locality(interactions_to_grid(csr_matrix(np.ones((2, 2)))), window=2)


def test_a_spectral_order_brings_a_shuffled_band_together_again():
    rng = np.random.default_rng(0)
    band = csr_matrix(np.tri(60, 60, 3) - np.tri(60, 60, -4))
    shuffled = csr_matrix(band[rng.permutation(60)][:, rng.permutation(60)])
    activity = Activity(np.ones(60), np.ones(60))
    orders = (
        fit_order("spectral", activity, lambda: shuffled),
        fit_order("spectral", activity, lambda: csr_matrix(shuffled.T)),
    )
    ordered = locality(interactions_to_grid(shuffled, *orders))
    assert ordered == pytest.approx(locality(interactions_to_grid(band)), rel=0.02)
    assert ordered > 3 * locality(interactions_to_grid(shuffled))
