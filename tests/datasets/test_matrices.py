"""Rows by index become matrices; what a file may hold and no matrix has is refused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.datasets.matrices import (
    item_of,
    laid_out,
    matrix_of,
    times_of,
    user_of,
    with_columns,
)
from recsparse.errors import InputError


def rows(users, items):
    return pa.table(
        {
            "user_index": pa.array(users, pa.int32()),
            "item_index": pa.array(items, pa.int32()),
            "weight": pa.array([1.0] * len(users), pa.float32()),
            "timestamp": pa.array(range(len(users)), pa.int64()),
        }
    )


def test_rows_of_one_cell_are_summed_and_the_last_time_stays():
    table = rows([0, 1, 0], [2, 0, 2])
    assert matrix_of(table, (2, 3)).toarray().tolist() == [[0, 0, 2], [1, 0, 0]]
    times = times_of([table], lambda user: user, (2, 3))
    assert times.toarray().tolist() == [[0, 0, 2], [1, 0, 0]]


@pytest.mark.parametrize(("users", "items"), [([0, 2], [0, 0]), ([0, 1], [0, 3])])
def test_an_index_past_the_matrix_is_refused(users, items):
    with pytest.raises(InputError, match=r"of the matrix must be from 0 to .* folder anew"):
        matrix_of(rows(users, items), (2, 3))


def test_times_of_users_past_the_matrix_are_refused():
    with pytest.raises(InputError, match="rows of the matrix must be from 0 to 1"):
        times_of([rows([0, 2], [0, 0])], lambda user: user, (2, 3))


@pytest.mark.parametrize("wrong", [-1, None])
def test_an_index_below_zero_or_null_is_refused(wrong):
    with pytest.raises(InputError, match="user_index must be from 0 on"):
        user_of(rows([0, wrong], [0, 0]))
    with pytest.raises(InputError, match="item_index must be from 0 on"):
        times_of([rows([0, 0], [wrong, 0])], lambda user: user, (1, 1))
    with pytest.raises(InputError, match="item_index must be from 0 on"):
        item_of(rows([0, 0], [wrong, 0]))


def test_no_rows_are_a_matrix_without_cells():
    assert laid_out(*(np.zeros(0, np.int64),) * 3, (0, 3)).shape == (0, 3)
    assert len(user_of(rows([], []))) == 0


@given(st.integers(0, 4), st.integers(0, 5), st.integers(0, 3), st.integers(0, 99))
def test_cells_move_to_other_columns_as_those_of_a_dense_matrix_do(rows, columns, more, seed):
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 3, (rows, columns)).astype(np.float32)
    width = columns + more
    column = rng.permutation(width)[:columns]
    column[rng.random(columns) < 0.3] = -1
    expected = np.zeros((rows, width), dtype=np.float32)
    expected[:, column[column >= 0]] = dense[:, column >= 0]
    found = with_columns(csr_matrix(dense), column, width)
    assert found.toarray().tolist() == expected.tolist()
    assert found.dtype == np.float32
    assert found.has_canonical_format


def test_cells_of_weight_zero_stay_cells():
    matrix = csr_matrix(([0.0, 1.0], ([0, 0], [0, 1])), shape=(1, 2))
    found = with_columns(matrix, np.array([2, -1]), 3)
    assert found.indices.tolist() == [2]
    assert found.data.tolist() == [0.0]
