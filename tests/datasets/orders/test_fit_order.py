import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array, vstack

from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.orders.bisection import bisection_order
from recsparse.datasets.orders.fit_order import Activity, extend_order, fit_order
from recsparse.datasets.orders.spectral import fiedler_order
from recsparse.errors import InputError

KINDS = ("popularity", "spectral", "bisection", "time", "text", "random")


def activity_of(matrix, first_event=None):
    weight = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    unknown = np.full(len(weight), np.nan)
    return Activity(weight, unknown if first_event is None else np.asarray(first_event, float))


def index_of(kind, matrix, seed=0, first_event=None, text=None):
    activity = activity_of(matrix, first_event)
    return fit_order(kind, activity, lambda: matrix, seed, text).index.tolist()


def test_popularity_puts_the_largest_sum_first_and_ties_to_the_lower_row():
    matrix = csr_matrix([[1.0, 1], [0, 0], [3, 0], [0, 2], [0, 0]])
    assert index_of("popularity", matrix) == [2, 0, 3, 1, 4]


def test_time_puts_the_earliest_first_and_unknown_times_behind():
    times = [30.0, np.nan, 10.0, 10.0, 5.0]
    matrix = csr_matrix([[1.0], [1], [1], [1], [0]])
    assert index_of("time", matrix, first_event=times) == [2, 3, 0, 1, 4]


def test_random_is_another_order_for_another_seed():
    matrix = csr_matrix(np.ones((50, 1)))
    first, again, other = (index_of("random", matrix, seed) for seed in (0, 0, 1))
    assert first == again != other


def test_spectral_is_the_order_of_the_fiedler_vector():
    matrix = csr_matrix(random_array((30, 20), density=0.3, rng=0))
    assert index_of("spectral", matrix, seed=3) == fiedler_order(matrix, 3).tolist()


def test_bisection_starts_from_the_order_by_popularity():
    matrix = csr_matrix(random_array((30, 20), density=0.3, rng=0))
    start = np.argsort(-activity_of(matrix).weight, kind="stable")
    assert index_of("bisection", matrix) == bisection_order(matrix, start).tolist()


def test_columns_are_ordered_by_the_transpose():
    matrix = csr_matrix([[1.0, 0, 1], [0, 0, 1]])
    assert index_of("popularity", csr_matrix(matrix.T)) == [2, 0, 1]


@pytest.mark.parametrize("kind", ["popularity", "time", "text", "random"])
def test_kinds_without_co_occurrence_never_ask_for_the_matrix(kind):
    def matrix():
        raise AssertionError("asked for the matrix")

    activity = Activity(np.ones(3), np.arange(3.0))
    assert len(fit_order(kind, activity, matrix, text=csr_matrix(np.ones((3, 2))))) == 3


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
    index = index_of(kind, matrix, seed, times)
    assert sorted(index) == list(range(num_rows))
    is_empty = matrix.toarray().sum(axis=1)[index] == 0
    assert is_empty.tolist() == sorted(is_empty.tolist())


def test_stored_zeros_are_no_entries_and_the_argument_is_not_changed():
    matrix = csr_matrix((np.array([0.0, 1.0]), ([0, 1], [0, 0])), shape=(2, 1))
    assert index_of("spectral", matrix) == [1, 0]
    assert matrix.nnz == 2


def test_rows_with_common_words_are_neighbours_in_the_order_of_text():
    text = csr_matrix([[1.0, 1, 0, 0.1], [0, 0, 1, 0.1], [1, 1, 0, 0.1], [0, 0, 1, 0.1]])
    index = index_of("text", csr_matrix(np.ones((4, 1))), text=text)
    assert abs(index.index(0) - index.index(2)) == 1
    assert abs(index.index(1) - index.index(3)) == 1


def test_a_row_without_weight_stands_behind_the_one_with_the_most_similar_text():
    text = csr_matrix([[3.0, 0, 1], [0, 5, 1], [0, 1, 0], [2, 0, 0], [0, 0, 0], [1, 0, 0]])
    matrix = csr_matrix([[1.0], [1], [0], [0], [0], [0]])
    index = index_of("text", matrix, text=text)
    assert index[index.index(0) :][:3] == [0, 3, 5]
    assert index[index.index(1) :][:2] == [1, 2]
    assert index[-1] == 4


@given(st.integers(0, 6), st.floats(0, 1), st.integers(0, 99))
def test_the_order_of_text_holds_every_row_once(num_rows, density, seed):
    text = csr_matrix(random_array((num_rows, 4), density=density, rng=seed))
    matrix = csr_matrix(random_array((num_rows, 3), density=0.4, rng=seed))
    index = index_of("text", matrix, text=text)
    assert sorted(index) == list(range(num_rows))


def test_an_axis_without_text_is_ordered_by_popularity():
    matrix = csr_matrix([[1.0], [0], [3]])
    assert index_of("text", matrix) == index_of("popularity", matrix) == [2, 0, 1]


@pytest.mark.parametrize("kind", ["spectral", "bisection"])
@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_bad_weight_is_named_with_its_row(kind, weight):
    matrix = csr_matrix((np.array([1.0, weight]), ([0, 2], [0, 1])), shape=(3, 2))
    with pytest.raises(InputError, match=rf"matrix must .* 1 are not; the first is {weight} in"):
        fit_order(kind, Activity(np.ones(3), np.ones(3)), lambda: matrix)


def test_a_bad_weight_of_the_text_is_named():
    text = csr_matrix(np.array([[1.0], [-2.0]]))
    with pytest.raises(InputError, match=r"text must .* the first is -2.0 in row 1"):
        fit_order("text", Activity(np.ones(2), np.ones(2)), lambda: text, text=text)


def test_a_matrix_of_another_length_is_refused():
    activity = Activity(np.ones(2), np.ones(2))
    with pytest.raises(InputError, match="matrix must have 2 rows, one each, but has 3"):
        fit_order("bisection", activity, lambda: csr_matrix((3, 1)))
    with pytest.raises(InputError, match="text must have 2 rows, one each, but has 3"):
        fit_order("text", activity, lambda: csr_matrix((2, 1)), text=csr_matrix((3, 1)))


def test_time_without_times_is_refused():
    with pytest.raises(InputError, match="for some of 2 rows, but there is none; name the column"):
        index_of("time", csr_matrix((2, 1)))


@given(
    num_old=st.integers(0, 6),
    num_new=st.integers(0, 6),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_an_extended_order_keeps_the_old_rows_in_their_order(num_old, num_new, density, seed):
    rng = np.random.default_rng(seed)
    order = AxisOrder(rng.permutation(num_old))
    matrix = csr_matrix(random_array((num_old + num_new, 4), density=density, rng=rng))
    text = csr_matrix(random_array((num_old + num_new, 3), density=density, rng=rng))
    longer = extend_order(order, matrix, text)
    assert longer.index[longer.index < num_old].tolist() == order.index.tolist()
    assert extend_order(order, matrix, text).rank.tolist() == longer.rank.tolist()


def test_a_new_row_is_placed_by_co_occurrence_then_by_text_then_at_the_end():
    old = csr_matrix([[1.0, 0, 0], [0, 1, 0], [0, 1, 1]])
    new = csr_matrix([[0.0, 0, 2], [0, 0, 0], [0, 0, 0], [4, 0, 0]])
    text = csr_matrix([[1.0, 0], [0, 1], [0, 0], [1, 0], [0, 3], [0, 0], [0, 1]])
    order = AxisOrder(np.array([2, 1, 0]))
    index = extend_order(order, csr_matrix(vstack([old, new])), text).index.tolist()
    assert index == [2, 3, 1, 4, 0, 6, 5]
    without = extend_order(order, csr_matrix(vstack([old, new]))).index.tolist()
    assert without == [2, 3, 1, 0, 6, 4, 5]


def test_a_rare_column_joins_more_than_a_popular_one():
    # The new row shares the popular column with all but the old row 3, and the rare one with that,
    # whose cosine of plain weights is lower since it has a third column.
    old = np.tile([1.0, 0.0, 0.0], (11, 1))
    old[3] = [0.0, 1.0, 1.0]
    matrix = csr_matrix(np.concatenate([old, [[1.0, 1.0, 0.0]]]))
    index = extend_order(AxisOrder.identity(11), matrix).index.tolist()
    assert index == [0, 1, 2, 3, 11, 4, 5, 6, 7, 8, 9, 10]


def test_an_order_cannot_shrink():
    with pytest.raises(InputError, match="at least 3 rows, as the order, but has 2"):
        extend_order(AxisOrder.identity(3), csr_matrix((2, 1)))
    with pytest.raises(InputError, match="text must have 2 rows, one each, but has 3"):
        extend_order(AxisOrder.identity(1), csr_matrix((2, 1)), csr_matrix((3, 1)))
