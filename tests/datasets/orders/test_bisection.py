import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from recsparse.datasets.orders import bisection
from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.orders.bisection import bisection_order
from recsparse.grids.interaction_grid import interactions_to_grid, locality


def cost(dense, order):
    """The sum over columns and levels that the bisection lowers, one set after the other."""
    if len(order) < 2:
        return 0.0
    middle = (len(order) + 1) // 2
    halves = order[:middle], order[middle:]
    total = 0.0
    for half in halves:
        for column in range(dense.shape[1]):
            count = sum(dense[row, column] > 0 for row in half)
            total -= count * np.log2(count + 1)
        total += cost(dense, half)
    return total


@given(
    num_rows=st.integers(0, 13),
    num_columns=st.integers(0, 8),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
    chunk=st.integers(1, 40),
)
def test_every_row_comes_once_and_always_in_the_same_place(
    num_rows, num_columns, density, seed, chunk
):
    matrix = csr_matrix(random_array((num_rows, num_columns), density=density, rng=seed))
    start = np.random.default_rng(seed).permutation(num_rows)
    order = bisection_order(matrix, start)
    assert sorted(order.tolist()) == list(range(num_rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bisection, "_CHUNK", chunk)
        assert bisection_order(matrix, start).tolist() == order.tolist()


@pytest.mark.parametrize("num_groups", [2, 4, 8])
def test_groups_of_equal_size_are_found_whole(num_groups):
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(num_groups), 16))
    own = group[:, None] == np.arange(10 * num_groups) % num_groups
    dense = own * (rng.random(own.shape) < 0.6)
    ordered = group[bisection_order(csr_matrix(dense.astype(float)), np.arange(len(group)))]
    assert np.count_nonzero(np.diff(ordered)) == num_groups - 1


@pytest.mark.parametrize("seed", range(5))
def test_the_cost_of_the_order_is_far_below_that_of_the_start(seed):
    rng = np.random.default_rng(seed)
    centre = rng.random(40)[:, None] * 30
    dense = (np.abs(centre - np.arange(30)) < 3).astype(float)
    order = bisection_order(csr_matrix(dense), np.arange(40))
    shuffled = [cost(dense, rng.permutation(40)) for _ in range(20)]
    best = cost(dense, np.argsort(centre.ravel()))
    # Most of the way from the mean of random orders to the one that made the matrix.
    assert cost(dense, order) < np.mean(shuffled) - 0.7 * (np.mean(shuffled) - best)


def test_rows_without_entries_keep_the_order_of_the_start():
    assert bisection_order(csr_matrix((5, 3)), np.array([3, 1, 4, 0, 2])).tolist() == [
        3,
        1,
        4,
        0,
        2,
    ]


def test_the_values_of_the_entries_do_not_matter():
    dense = (np.random.default_rng(0).random((30, 20)) < 0.2).astype(float)
    scaled = dense * np.linspace(0.5, 900, 30)[:, None]
    start = np.arange(30)
    order = bisection_order(csr_matrix(dense), start)
    assert bisection_order(csr_matrix(scaled), start).tolist() == order.tolist()


def test_two_pairs_that_ought_to_change_halves_do():
    dense = np.array([[1.0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 1]])
    order = bisection_order(csr_matrix(dense), np.arange(4))
    assert {frozenset(order[:2].tolist()), frozenset(order[2:].tolist())} == {
        frozenset({0, 2}),
        frozenset({1, 3}),
    }


def test_on_movielens_cells_have_more_neighbours_than_by_popularity(real_data):
    frame = pd.read_parquet(real_data / "movielens-100k" / "interactions.parquet")
    matrix = csr_matrix(pd.crosstab(frame.user_id, frame.item_id).to_numpy().astype(np.float32))
    found = {}
    for name in ("index", "popularity", "bisection"):
        ranks = []
        for sided in (matrix, csr_matrix(matrix.T)):
            index = np.arange(sided.shape[0])
            if name != "index":
                index = np.argsort(-np.asarray(sided.sum(axis=1)).ravel(), kind="stable")
            if name == "bisection":
                index = bisection_order(sided, index)
            ranks.append(AxisOrder(np.argsort(index)))
        found[name] = locality(interactions_to_grid(matrix, *ranks))
    assert found["index"] < found["popularity"] < found["bisection"]
