from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.scoring.laid_over_rows import LaidOverRows, laid_over
from recsparse.scoring.user_rows import RowsInMemory

ITEMS = 3
CELLS = st.dictionaries(st.integers(0, ITEMS - 1), st.sampled_from([0.0, 1.0, 2.5]), max_size=3)
KNOWN = st.lists(CELLS, max_size=4)
# Rows that replace those of users of the first list, or are of users behind them.
LAYERS = st.lists(st.dictionaries(st.integers(0, 5), CELLS, max_size=4), max_size=3)


def rows_of(users, is_timed=True):
    cells = [(user, item, weight) for user, own in enumerate(users) for item, weight in own.items()]
    row, column, weight = (np.array([cell[axis] for cell in cells]) for axis in range(3))
    shape = len(users), ITEMS
    row, column = row.astype(int), column.astype(int)
    history = coo_matrix((weight.astype(np.float32), (row, column)), shape=shape).tocsr()
    seconds = (10 * row + column + 1).astype(np.int64)
    times = coo_matrix((seconds, (row, column)), shape=shape).tocsr() if is_timed else None
    return RowsInMemory(history, times)


def cells_of(matrix):
    return [
        dict(zip(matrix.indices[a:b].tolist(), matrix.data[a:b].tolist(), strict=True))
        for a, b in pairwise(matrix.indptr)
    ]


@given(KNOWN, LAYERS, st.booleans(), st.lists(st.integers(-1, 3), max_size=6))
def test_rows_of_users_are_replaced_whole_and_cells_of_weight_0_stay(
    known, layers, is_timed, wanted
):
    expected, rows = list(known), rows_of(known, is_timed)
    for layer in layers:
        users = sorted(user for user in layer if user <= len(expected))
        expected += [{}] * (len(users) and max(0, users[-1] + 1 - len(expected)))
        for user in users:
            expected[user] = layer[user]
        above = rows_of([layer[user] for user in users], is_timed)
        rows = laid_over(rows, above, np.array(users, dtype=int), len(expected))
    found, times = rows.whole()
    assert (rows.shape, found.shape) == ((len(expected), ITEMS),) * 2
    assert cells_of(found) == expected
    assert (times is not None) == is_timed
    if times is not None:
        assert [row.keys() for row in cells_of(times)] == [row.keys() for row in expected]
    index = np.array([user if user < len(expected) else -1 for user in wanted], dtype=int)
    chosen = [expected[user] if user >= 0 else {} for user in index]
    assert cells_of(rows.of(index)) == chosen
    assert rows.has_rows(index).tolist() == [len(each) > 0 for each in chosen]
    np.testing.assert_allclose(
        rows.popularity(), RowsInMemory(found, times).popularity(), rtol=1e-6
    )


def test_layers_do_not_pile_up():
    rows = rows_of([{0: 1.0}, {1: 1.0}])
    for weight in (2.0, 3.0, 4.0):
        rows = laid_over(rows, rows_of([{2: weight}]), np.array([1]), 2)
    assert isinstance(rows, LaidOverRows)
    assert isinstance(rows.below, RowsInMemory)
    assert rows.above.history.shape[0] == 1
    assert cells_of(rows.whole()[0]) == [{0: 1.0}, {2: 4.0}]


def test_rows_laid_over_others_have_another_digest_and_keep_it_where_nothing_changes():
    rows, above = rows_of([{0: 1.0}, {1: 1.0}]), rows_of([{2: 1.0}])
    first, same, second = (laid_over(rows, above, np.array([user]), 2) for user in (0, 0, 1))
    assert len({rows.digest(), first.digest(), second.digest()}) == 3
    assert first.digest() == same.digest()


@pytest.mark.parametrize("user", [0, 2])
def test_a_larger_catalogue_has_the_same_cells(user):
    rows = laid_over(rows_of([{0: 1.0}, {1: 1.0}]), rows_of([{2: 1.0}]), np.array([user]), 3)
    wider = rows.with_items(9)
    assert wider.shape == (3, 9)
    assert cells_of(wider.whole()[0]) == cells_of(rows.whole()[0])
    assert isinstance(rows.whole()[0], csr_matrix)
