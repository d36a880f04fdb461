"""Precomputed bags of words: lists of word numbers, and of their counts."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.schema import is_list
from recsparse.errors import InputError, SchemaError

MOST_WORDS = 2**31  # they are columns of a matrix
_MOST = float(np.finfo(np.float32).max)


def require_bags(schema: pa.Schema, columns: tuple[str, str], where: str) -> None:
    """Raise an error unless two columns can hold bags.

    Args:
        schema: Of the table.
        columns: That of words and that of counts.
        where: What to call the table in the error.

    Raises:
        SchemaError: If they hold no lists of integers and lists of numbers.
    """
    words, counts = (schema.field(name).type for name in columns)
    for name, kind, content in ((columns[0], words, "integers"), (columns[1], counts, "numbers")):
        fits = is_list(kind) and (
            pa.types.is_integer(kind.value_type)
            or (content == "numbers" and pa.types.is_floating(kind.value_type))
        )
        if not fits:
            raise SchemaError(
                f"the column {name!r} of {where} must hold lists of {content}, but holds {kind}; "
                "cast it, or name another one in text.bag_columns"
            )


def bag_cells(
    table: pa.Table, columns: tuple[str, str], ids: str, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the words of each row.

    Args:
        table: Some rows.
        columns: That of words and that of counts; null is an empty list.
        ids: The column that names a row in an error.
        where: What to call the table in an error.

    Returns:
        The row, the word and the count of each entry of the lists.

    Raises:
        InputError: If the lists of a row differ in length, or a number in them is no word or no
            count.
    """
    words, counts = (table[name].combine_chunks() for name in columns)
    row, word, count = _row_of(words), pc.list_flatten(words), pc.list_flatten(counts)
    lengths = [np.bincount(each, minlength=table.num_rows) for each in (row, _row_of(counts))]
    differ = np.flatnonzero(lengths[0] != lengths[1])
    if len(differ):
        must = f"lists of the same length in {columns[0]!r} and {columns[1]!r}"
        found = " and ".join(str(each[differ[0]]) for each in lengths)
        raise InputError(_bad(must, found, table[ids][int(differ[0])], where))
    for values, name, most in ((word, columns[0], MOST_WORDS - 1), (count, columns[1], _MOST)):
        number = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        fits = (number >= 0) & (number <= most)
        if not fits.all():
            place = int(np.argmin(fits))
            must = f"numbers from 0 to {most:.10g} in {name!r}"
            found = repr(values[place].as_py())
            raise InputError(_bad(must, found, table[ids][int(row[place])], where))
    return row, word.to_numpy().astype(np.int32), count.to_numpy()


def bag_matrix(
    cells: tuple[np.ndarray, np.ndarray, np.ndarray], shape: tuple[int, int]
) -> csr_matrix:
    """Return bags as a matrix.

    Args:
        cells: The row, the word and the count of each entry; words outside of the shape and counts
            of 0 are left out, those of one word in one row summed.
        shape: Number of rows and of words.

    Returns:
        Rows × words.
    """
    row, word, count = cells
    kept = (word < shape[1]) & (count > 0)
    return coo_matrix((count[kept], (row[kept], word[kept])), shape=shape).tocsr()


def _row_of(lists: pa.Array) -> np.ndarray:
    row: np.ndarray = pc.list_parent_indices(lists).to_numpy()
    return row


def _bad(must: str, found: str, name: pa.Scalar, where: str) -> str:
    return (
        f"a bag of words must have {must}, but that of {name.as_py()!r} in {where} has {found}; "
        "mend the table"
    )
