import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.datasets.evaluated.lists import Lists, SharedCells

NUM_COLUMNS = 5
runs = st.lists(st.tuples(st.integers(-1, NUM_COLUMNS - 1), st.integers(-9, 9)), max_size=12)


@st.composite
def stretches(draw):
    """A run of cells, and stretches of it that may overlap or be empty."""
    run = draw(runs)
    ends = st.lists(st.tuples(st.integers(0, len(run)), st.integers(0, len(run))), max_size=6)
    return run, [(min(pair), max(pair)) for pair in draw(ends)]


def shared(run, rows, dtype, are_times=False):
    return SharedCells(
        np.array([first for first, _ in rows], dtype=np.int64),
        np.array([last for _, last in rows], dtype=np.int64),
        np.array([column for column, _ in run], dtype=np.int64),
        np.array([value for _, value in run], dtype=dtype),
        NUM_COLUMNS,
        are_times,
    )


def dense(run, rows, combined):
    """The rows by a loop over their cells."""
    result = np.zeros((len(rows), NUM_COLUMNS))
    for number, (first, last) in enumerate(rows):
        for column in range(NUM_COLUMNS):
            if values := [value for where, value in run[first:last] if where == column]:
                result[number, column] = combined(values)
    return result


@given(stretches(), st.integers(1, 4))
def test_rows_are_their_stretches_whatever_the_batch(drawn, size):
    run, rows = drawn
    for matrix, combined in (
        (shared(run, rows, np.float32), sum),
        (shared(run, rows, np.int64, are_times=True), max),
    ):
        assert matrix.shape == (len(rows), NUM_COLUMNS)
        expected = dense(run, rows, combined)
        np.testing.assert_array_equal(matrix[:].toarray(), expected)
        for start in range(0, len(rows) + 1, size):
            part = matrix[start : start + size]
            assert part.shape[0] == len(rows[start : start + size])
            np.testing.assert_array_equal(part.toarray(), expected[start : start + size])
    kept = [sum(column >= 0 for column, _ in run[first:last]) for first, last in rows]
    assert matrix.num_cells().tolist() == kept
    chosen = np.arange(len(rows)) % 2 == 0
    np.testing.assert_array_equal(matrix.of_rows(chosen)[:].toarray(), expected[chosen])


@given(stretches())
def test_cells_move_to_other_columns_or_are_left_out(drawn):
    run, rows = drawn
    # Columns 1 and 3 are left out; the new ones are wider.
    moved = shared(run, rows, np.float32).with_columns(np.array([6, -1, 0, -1, 2]), 7)
    expected = np.zeros((len(rows), 7))
    expected[:, [6, 0, 2]] = dense(run, rows, sum)[:, [0, 2, 4]]
    np.testing.assert_array_equal(moved[:].toarray(), expected)


def test_a_matrix_without_columns_has_none_after_the_move_either():
    empty = SharedCells.of_matrix(csr_matrix((2, 0))).with_columns(np.zeros(0), 3)
    assert empty[:].toarray().tolist() == [[0, 0, 0]] * 2


def test_rows_of_a_matrix_stay_what_they_are_with_cells_of_weight_0():
    matrix = csr_matrix((np.array([2.0, 0.0, 3.0]), [1, 0, 2], [0, 1, 1, 3]), shape=(3, 3))
    found = SharedCells.of_matrix(matrix)[:]
    assert found.toarray().tolist() == matrix.toarray().tolist()
    assert found.nnz == 3


def two_users():
    """The first user has three lists, of 4, 3 and 1 targets, the second one list of 1."""
    run = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5)]
    targets = shared(run, [(0, 4), (1, 4), (3, 4), (4, 5)], np.float32)
    history = shared(run, [(0, 0), (0, 1), (0, 3), (4, 4)], np.float32)
    return Lists(np.array([0, 0, 0, 1]), history, targets)


def test_each_rating_is_predicted_in_the_last_list_that_has_it():
    assert two_users().ratings().toarray().tolist() == [
        [1, 0, 0, 0, 0],
        [0, 2, 3, 0, 0],
        [0, 0, 0, 4, 0],
        [5, 0, 0, 0, 0],
    ]


def test_users_are_counted_anew_when_lists_are_left_out():
    lists = two_users()
    assert lists.are_first().tolist() == [True, False, False, True]
    second = lists.of_lists(np.array([False, False, False, True]))
    assert second.user.tolist() == [0]
    assert second.targets[:].toarray().tolist() == [[5, 0, 0, 0, 0]]
    assert len(lists.of_lists(np.zeros(4, dtype=bool))) == 0
    assert lists.of_lists(np.array([True, True, False, True])).user.tolist() == [0, 0, 1]


def test_no_list_at_all_has_no_ratings():
    nobody = two_users().of_lists(np.zeros(4, dtype=bool))
    assert nobody.ratings().shape == (0, NUM_COLUMNS)
