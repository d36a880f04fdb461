"""Rows by index, laid out as matrices of users and items."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.indexed_rows import ITEM_INDEX, NO_TIME, USER_INDEX
from recsparse.datasets.schema import TIMESTAMP, WEIGHT
from recsparse.errors import InputError


def matrix_of(
    table: pa.Table, shape: tuple[int, int], weights: np.ndarray | None = None
) -> csr_matrix:
    """Lay training rows out as a matrix; rows of the same cell are summed.

    Args:
        table: Rows by index.
        shape: Number of users and of items.
        weights: Of the rows; None for their own.

    Returns:
        Users × items, float32.
    """
    weights = table[WEIGHT].to_numpy() if weights is None else weights
    return laid_out(user_of(table), item_of(table), weights, shape)


def times_of(
    tables: list[pa.Table], row_of: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int]
) -> csr_matrix | None:
    """Lay the last time of each cell out as a matrix.

    Args:
        tables: Rows by index.
        row_of: Returns the row of each user; −1 leaves the user out.
        shape: Number of rows and of items; other items are left out.

    Returns:
        int64, seconds, `NO_TIME` where unknown; None where no row has a time.

    Raises:
        InputError: If an index is out of range.
    """
    if all(table[TIMESTAMP].null_count == table.num_rows for table in tables):
        return None
    table = pa.concat_tables(
        [table.select([USER_INDEX, ITEM_INDEX, TIMESTAMP]) for table in tables]
    )
    row, item = row_of(user_of(table)), item_of(table)
    time = table[TIMESTAMP].fill_null(NO_TIME).to_numpy()
    kept = (row >= 0) & (item < shape[1])
    _check_cells(row[kept], item[kept], shape)
    row, item, time = last_of_cells(row[kept], item[kept], time[kept])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    return csr_matrix((time, item, indptr), shape=shape)


def last_of_cells(
    row: np.ndarray, item: np.ndarray, time: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leave the last time of each cell.

    Args:
        row: Row of each time.
        item: Column of each time.
        time: The times.

    Returns:
        Rows, columns and times.
    """
    order = np.lexsort([time, item, row])
    row, item, time = row[order], item[order], time[order]
    last = np.ones(len(row), dtype=bool)
    last[:-1] = (row[1:] != row[:-1]) | (item[1:] != item[:-1])
    return row[last], item[last], time[last]


def user_of(table: pa.Table) -> np.ndarray:
    """Return the user of each row.

    Args:
        table: Rows by index.

    Returns:
        Indices.

    Raises:
        InputError: If an index is negative or null.
    """
    return _indices(table, USER_INDEX)


def item_of(table: pa.Table) -> np.ndarray:
    """Return the item of each row.

    Args:
        table: Rows by index.

    Returns:
        Indices.

    Raises:
        InputError: If an index is negative or null.
    """
    return _indices(table, ITEM_INDEX)


def laid_out(
    row: np.ndarray, column: np.ndarray, weight: np.ndarray, shape: tuple[int, int]
) -> csr_matrix:
    """Lay weights out as a matrix; those of the same cell are summed.

    Args:
        row: Row of each weight.
        column: Column of each weight.
        weight: The weights.
        shape: Number of rows and columns.

    Returns:
        float32.

    Raises:
        InputError: If a row or a column is out of range.
    """
    _check_cells(row, column, shape)
    return coo_matrix((weight.astype(np.float32), (row, column)), shape=shape).tocsr()


def with_columns(matrix: csr_matrix, column: np.ndarray, num_columns: int) -> csr_matrix:
    """Move the cells of a matrix to other columns.

    Args:
        matrix: Any matrix; cells of weight 0 stay cells.
        column: The new column of each of its columns, none of them twice; −1 leaves cells out.
        num_columns: Columns of the result.

    Returns:
        A new matrix, its columns rising within each row.
    """
    moved = column[matrix.indices]
    kept = moved >= 0
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[kept]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=matrix.shape[0]))])
    shape = matrix.shape[0], num_columns
    result = csr_matrix((matrix.data[kept], moved[kept], indptr), shape=shape)
    result.sort_indices()
    return result


def wider(matrix: csr_matrix, num_columns: int) -> csr_matrix:
    """Add empty columns to a matrix.

    Args:
        matrix: Any matrix.
        num_columns: Columns of the result, no fewer than there are.

    Returns:
        A matrix of the same cells, which it shares.
    """
    shape = matrix.shape[0], num_columns
    return csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=shape)


def taller(matrix: csr_matrix, num_rows: int) -> csr_matrix:
    """Add empty rows to a matrix.

    Args:
        matrix: Any matrix.
        num_rows: Rows of the result, no fewer than there are.

    Returns:
        A matrix of the same cells, which it shares.
    """
    more = np.full(num_rows - matrix.shape[0], matrix.indptr[-1], dtype=matrix.indptr.dtype)
    indptr = np.concatenate([matrix.indptr, more])
    return csr_matrix((matrix.data, matrix.indices, indptr), shape=(num_rows, matrix.shape[1]))


def _indices(table: pa.Table, name: str) -> np.ndarray:
    column = table[name]
    index: np.ndarray = column.to_numpy()
    # A negative one would be counted from the end.
    if column.null_count or index.min(initial=0) < 0:
        raise InputError(
            f"{name} must be from 0 on, but {column.null_count} are null and the lowest is "
            f"{index.min(initial=0)}; make the dataset folder anew"
        )
    return index


def _check_cells(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> None:
    # SciPy takes the columns of a CSR matrix on trust.
    for what, index, size in (("rows", row, shape[0]), ("columns", column, shape[1])):
        if len(index) and not (index.min() >= 0 and index.max() < size):
            raise InputError(
                f"{what} of the matrix must be from 0 to {size - 1}, but are from {index.min()} to "
                f"{index.max()}; make the dataset folder anew"
            )
