"""SideRows: the rows of a table of items or users, a chunk at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from recsparse.datasets.features.categories_and_numbers import category_tokens, numbers_of
from recsparse.datasets.features.precomputed_bags import bag_cells, require_bags
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.texts import texts_of
from recsparse.datasets.features.vectors import require_vectors, vectors_of
from recsparse.datasets.id_types import rows_that_count
from recsparse.datasets.reading.tables import read_batches, read_columns, require_columns
from recsparse.datasets.schema import id_type, is_list, to_ids
from recsparse.errors import InputError, SchemaError

# Few enough for long texts, of which a chunk is in memory at a time.
_CHUNK_ROWS = 8_192


@dataclass(frozen=True, eq=False)
class SideRows:
    """A table whose columns to read are known by name.

    Attributes:
        dataset: The rows.
        where: What to call the table in an error.
        columns: What is read of it.
        bag_columns: Columns of precomputed bags.
    """

    dataset: ds.Dataset
    where: str
    columns: SideColumns
    bag_columns: tuple[str, str] | None

    def check(self, wanted: pa.DataType) -> None:
        """Raise an error unless the table has all columns, of types that can be read.

        Args:
            wanted: Type of the ids of the log.

        Raises:
            SchemaError: If a column is missing or of a wrong type.
            InputError: If ids are of another type than the log's.
        """
        names = [self.columns.ids, *self.columns.all(self.bag_columns)]
        require_columns(self.dataset, self.where, names)
        for name in self.columns.text:
            self._check_text(name)
        nothing = self.dataset.schema.empty_table()
        category_tokens(nothing, self.columns.categories, self.where)
        numbers_of(nothing, self.columns.numbers, self.where)
        require_vectors(nothing.schema, self.columns.vectors, self.where)
        if self.bag_columns is not None:
            require_bags(self.dataset.schema, self.bag_columns, self.where)
        kind = self.dataset.schema.field(self.columns.ids).type
        if not self.columns.cast_ids and id_type(kind) not in (wanted, None):
            raise InputError(
                f"ids must be of the type {wanted}, as in the log, but the column "
                f"{self.columns.ids!r} of {self.where} holds {kind}; cast one of them"
            )

    def _check_text(self, name: str) -> None:
        kind = self.dataset.schema.field(name).type
        is_null = pa.types.is_null(kind)
        if is_null or id_type(kind.value_type if is_list(kind) else kind) == pa.string():
            return
        if not (is_list(kind) and pa.types.is_integer(kind.value_type)):
            raise SchemaError(
                f"the text column {name!r} of {self.where} must hold strings, or lists of "
                f"strings or integers, but holds {kind}"
            )

    def ids(self, wanted: pa.DataType) -> tuple[pa.Array, NDArray[np.bool_]]:
        """Return the ids.

        Args:
            wanted: Type of the ids of the log.

        Returns:
            One per row, in the order of the table, and whether the row counts.

        Raises:
            SchemaError: If the column cannot hold ids.
            InputError: If an id is null or blank, or occurs twice where that is an error.
        """
        name = self.columns.ids
        column = read_columns(self.dataset, [name])[name]
        kind = wanted if self.columns.cast_ids else None
        ids = to_ids(column, f"the column {name!r} of {self.where}", kind)
        return ids, rows_that_count(ids, self.where, self.columns.duplicates)

    def texts(self, index: np.ndarray) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yield the text of each row, that of all columns.

        Args:
            index: A number for each row; −1 leaves it out.

        Yields:
            Numbers and texts.
        """
        for some, table in self._chunks(index, self.columns.text):
            columns = [texts_of(table[name], name) for name in self.columns.text]
            yield some, [" ".join(filter(None, each)) for each in zip(*columns, strict=True)]

    def categories(self, index: np.ndarray) -> Iterator[tuple[np.ndarray, list[list[str]]]]:
        """Yield the categories of each row as `column=value`.

        Args:
            index: A number for each row; −1 leaves it out.

        Yields:
            Numbers and lists.
        """
        for some, table in self._chunks(index, self.columns.categories):
            yield some, category_tokens(table, self.columns.categories, self.where)

    def numbers(self, index: np.ndarray, size: int) -> np.ndarray:
        """Return the numbers.

        Args:
            index: A number for each row; −1 leaves it out.
            size: One more than the highest of them may be.

        Returns:
            float64, size × columns, NaN where missing.
        """
        values = np.full((size, len(self.columns.numbers)), np.nan)
        for some, table in self._chunks(index, self.columns.numbers):
            values[some] = numbers_of(table, self.columns.numbers, self.where)
        return values

    def vectors(
        self, index: np.ndarray, size: int, sizes: Mapping[str, int] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the vectors.

        Args:
            index: A number for each row; −1 leaves it out.
            size: One more than the highest of them may be.
            sizes: Length of the vectors of each column; None for that of the first vector.

        Returns:
            By column, float32, size × length, 0 where there is none. Without `sizes`, columns
            without a vector are left out.

        Raises:
            InputError: If a vector is of another length, or holds no finite numbers.
        """
        found = {
            name: np.zeros((size, length), dtype=np.float32)
            for name, length in (sizes or {}).items()
        }
        whose = "the first" if sizes is None else "those of training"
        ids, where = self.columns.ids, self.where
        for some, table in self._chunks(index, self.columns.vectors):
            for name in self.columns.vectors:
                length = found[name].shape[1] if name in found else None
                row, values = vectors_of(table, name, length, ids, where, whose)
                if len(row) and name not in found:
                    found[name] = np.zeros((size, values.shape[1]), dtype=np.float32)
                if len(row):
                    found[name][some[row]] = values
        return found

    def bags(
        self, index: np.ndarray, columns: tuple[str, str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the precomputed bags.

        Args:
            index: A number for each row; −1 leaves it out.
            columns: That of words and that of counts.

        Returns:
            The row's number, the word and the count of each entry.

        Raises:
            InputError: If the lists of a row differ in length, or a number is no word or no count.
        """
        pieces = []
        for some, table in self._chunks(index, columns):
            row, word, count = bag_cells(table, columns, self.columns.ids, self.where)
            pieces.append((some[row], word, count))
        if not pieces:
            return (np.zeros(0, dtype=np.int64),) * 3
        row, word, count = (np.concatenate(some) for some in zip(*pieces, strict=True))
        return row, word, count

    def _chunks(
        self, index: np.ndarray, columns: Sequence[str]
    ) -> Iterator[tuple[np.ndarray, pa.Table]]:
        start = 0
        for batch in read_batches(self.dataset, [self.columns.ids, *columns], _CHUNK_ROWS):
            some = index[start : start + batch.num_rows]
            start += batch.num_rows
            table, counts = pa.Table.from_batches([batch]), some >= 0
            yield (some, table) if counts.all() else (some[counts], table.filter(pa.array(counts)))
