import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from recsparse.datasets.ordering import AxisOrder, fit_order
from recsparse.datasets.spectral import fiedler_order
from recsparse.errors import InputError

KINDS = ("popularity", "spectral", "time", "random")


@given(st.permutations(list(range(9))))
def test_rank_and_index_are_inverse(rank):
    order = AxisOrder(np.array(rank))
    assert order.rank[order.index].tolist() == list(range(9))
    assert order.index[order.rank].tolist() == list(range(9))
    assert len(order) == 9


def test_the_identity_leaves_everything_in_its_place():
    assert AxisOrder.identity(3).rank.tolist() == [0, 1, 2]
    assert len(AxisOrder.identity(0)) == 0


@pytest.mark.parametrize("rank", [[0, 0], [1, 2], [-1, 0]])
def test_a_rank_that_is_no_permutation_is_refused(rank):
    with pytest.raises(InputError, match="each of 0 … 1 once"):
        AxisOrder(np.array(rank))


def test_popularity_puts_the_largest_sum_first_and_ties_to_the_lower_row():
    matrix = csr_matrix([[1.0, 1], [0, 0], [3, 0], [0, 2], [0, 0]])
    assert fit_order(matrix, "popularity").index.tolist() == [2, 0, 3, 1, 4]


def test_time_puts_the_earliest_first_and_unknown_times_behind():
    times = np.array([30.0, np.nan, 10.0, 10.0, 5.0])
    matrix = csr_matrix([[1.0], [1], [1], [1], [0]])
    assert fit_order(matrix, "time", first_event=times).index.tolist() == [2, 3, 0, 1, 4]


def test_time_takes_integer_seconds():
    times = np.array([881250949, 881250948])
    assert fit_order(csr_matrix([[1.0], [1]]), "time", first_event=times).index.tolist() == [1, 0]


def test_random_is_another_order_for_another_seed():
    matrix = csr_matrix(np.ones((50, 1)))
    first, again, other = (fit_order(matrix, "random", seed).rank.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_spectral_is_the_order_of_the_fiedler_vector():
    matrix = csr_matrix(random_array((30, 20), density=0.3, rng=0))
    assert fit_order(matrix, "spectral", seed=3).index.tolist() == fiedler_order(matrix, 3).tolist()


def test_columns_are_ordered_by_the_transpose():
    matrix = csr_matrix([[1.0, 0, 1], [0, 0, 1]])
    assert fit_order(csr_matrix(matrix.T), "popularity").index.tolist() == [2, 0, 1]


@pytest.mark.parametrize("kind", KINDS)
@given(
    num_rows=st.integers(0, 8),
    num_columns=st.integers(0, 5),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_every_kind_orders_all_rows_with_the_empty_ones_last(
    kind, num_rows, num_columns, density, seed
):
    matrix = csr_matrix(random_array((num_rows, num_columns), density=density, rng=seed))
    times = np.random.default_rng(seed).random(num_rows)
    index = fit_order(matrix, kind, seed, times).index
    assert sorted(index.tolist()) == list(range(num_rows))
    is_empty = matrix.toarray().sum(axis=1)[index] == 0
    assert is_empty.tolist() == sorted(is_empty.tolist())


def test_stored_zeros_are_no_entries_and_the_argument_is_not_changed():
    matrix = csr_matrix((np.array([0.0, 1.0]), ([0, 1], [0, 0])), shape=(2, 1))
    assert fit_order(matrix, "spectral").index.tolist() == [1, 0]
    assert matrix.nnz == 2


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_bad_weight_is_named_with_its_row(weight):
    matrix = csr_matrix((np.array([1.0, weight]), ([0, 2], [0, 1])), shape=(3, 2))
    with pytest.raises(InputError, match=rf"1 are not; the first is {weight} in row 2"):
        fit_order(matrix, "popularity")


def test_time_without_times_is_refused():
    with pytest.raises(InputError, match="each of 2 rows, but got none; give the log a timestamp"):
        fit_order(csr_matrix((2, 1)), "time")
    with pytest.raises(InputError, match="but got 3 times"):
        fit_order(csr_matrix((2, 1)), "time", first_event=np.zeros(3))
