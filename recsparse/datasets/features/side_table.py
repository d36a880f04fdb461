"""Tables of items and users: what is known of an id besides its rows in the log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.config.data import TextConfig
from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.datasets.features.categories_and_numbers import (
    CategoryFeatures,
    NumberFeatures,
    category_tokens,
    numbers_of,
)
from recsparse.datasets.features.precomputed_bags import bag_cells, require_bags
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.texts import texts_of
from recsparse.datasets.features.vectors import VectorFeatures, require_vectors, vectors_of
from recsparse.datasets.id_types import require_distinct
from recsparse.datasets.reading.tables import (
    open_dataset,
    read_batches,
    read_columns,
    require_columns,
)
from recsparse.datasets.schema import id_type, is_list, to_ids
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, SchemaError
from recsparse.files.stand_ins import called

# Few enough for long texts, of which a chunk is in memory at a time.
_CHUNK_ROWS = 8_192


@dataclass(frozen=True, eq=False)
class SideFeatures:
    """Features of the ids of one axis, fitted on the training ids; these come first.

    Attributes:
        words: The vocabulary of the text.
        bags: float32, ids × words.
        categories: Categories.
        numbers: Numbers.
        vectors: Vectors.
        counts: `words`; ids `without_text` (of training), `not_in_table` (of the log), and
            `unused` ones (of the table).
    """

    words: BagOfWords | None = None
    bags: csr_matrix | None = None
    categories: CategoryFeatures | None = None
    numbers: NumberFeatures | None = None
    vectors: VectorFeatures | None = None
    counts: dict[str, int] = field(default_factory=dict)


def fit_side_features(
    path: str | Path,
    columns: SideColumns,
    train: Vocabulary,
    unseen: Vocabulary,
    text: TextConfig,
    where: str | None = None,
) -> SideFeatures:
    """Read a table chunk by chunk and fit its features on the training ids.

    Args:
        path: A file, a folder, a glob or an address.
        columns: What to read.
        train: Ids with training rows.
        unseen: Ids without.
        text: How text becomes a bag of words.
        where: What to call the table in an error; its path where it is None.

    Returns:
        The features of all ids, those of the table that are not in the log left out.

    Raises:
        SchemaError: If a column is missing or of a wrong type, or there is nothing to read.
        InputError: If an id is null, blank or occurs twice, ids are of another type than the
            log's, none of them is in the log, or no training id has a word.
    """
    dataset = open_dataset(path, roles=columns.roles(train.ids.type))
    ids = train, unseen
    return _SideTable.of(dataset, where or called(path), columns, ids, text).fit()


def require_side_table(
    path: str | Path, columns: SideColumns, id_type: pa.DataType, text: TextConfig
) -> None:
    """Raise an error unless a table has what is to be read; no row is read.

    Args:
        path: A file, a folder, a glob or an address.
        columns: What to read.
        id_type: Type of the ids of the log.
        text: How text becomes a bag of words.

    Raises:
        SchemaError: If a column is missing or of a wrong type, or there is nothing to read.
        InputError: If ids are of another type than the log's, or there is no such table.
    """
    schema = open_dataset(path, roles=columns.roles(id_type)).schema
    require_side_schema(schema, columns, id_type, text, called(path))


def require_side_schema(
    schema: pa.Schema, columns: SideColumns, id_type: pa.DataType, text: TextConfig, where: str
) -> None:
    """Raise an error unless a table of a schema has what is to be read.

    Args:
        schema: The columns of the table.
        columns: What to read.
        id_type: Type of the ids of the log.
        text: How text becomes a bag of words.
        where: What to call the table in the error.

    Raises:
        SchemaError: If a column is missing or of a wrong type, or there is nothing to read.
        InputError: If ids are of another type than the log's.
    """
    none = Vocabulary(pa.array([], id_type))
    _SideTable.of(ds.dataset(schema.empty_table()), where, columns, (none, none), text)


@dataclass(frozen=True, eq=False)
class _SideTable:
    where: str
    dataset: ds.Dataset
    columns: SideColumns
    text: TextConfig
    ids: Vocabulary
    num_train: int

    @classmethod
    def of(
        cls,
        dataset: ds.Dataset,
        where: str,
        columns: SideColumns,
        ids: tuple[Vocabulary, Vocabulary],
        text: TextConfig,
    ) -> "_SideTable":
        require_columns(dataset, where, [columns.ids, *columns.all(text.bag_columns)])
        columns = columns.resolved(dataset.schema, text.bag_columns, where)
        train, unseen = ids
        both = Vocabulary(pa.concat_arrays([train.ids, unseen.ids.cast(train.ids.type)]))
        table = cls(where, dataset, columns, text, both, len(train))
        table.check_types()
        return table

    def check_types(self) -> None:
        for name in self.columns.text:
            kind = self.dataset.schema.field(name).type
            if id_type(kind.value_type if is_list(kind) else kind) == pa.string():
                continue
            if not (is_list(kind) and pa.types.is_integer(kind.value_type)):
                raise SchemaError(
                    f"the text column {name!r} of {self.where} must hold strings, or lists of "
                    f"strings or integers, but holds {kind}"
                )
        nothing = self.dataset.schema.empty_table()
        category_tokens(nothing, self.columns.categories)
        numbers_of(nothing, self.columns.numbers)
        require_vectors(nothing.schema, self.columns.vectors, self.where)
        if self.text.bag_columns is not None:
            require_bags(self.dataset.schema, self.text.bag_columns, self.where)
        kind = self.dataset.schema.field(self.columns.ids).type
        if not self.columns.cast_ids and id_type(kind) not in (self.ids.ids.type, None):
            raise InputError(
                f"ids must be of the type {self.ids.ids.type}, as in the log, but the column "
                f"{self.columns.ids!r} of {self.where} holds {kind}; cast one of them"
            )

    def fit(self) -> SideFeatures:
        index = self._index_of_all()
        words = bags = categories = numbers = vectors = None
        present = np.zeros(len(self.ids), dtype=bool)
        present[index[index >= 0]] = True
        counts = {"not_in_table": int((~present).sum()), "unused": int((index < 0).sum())}
        if self.text.bag_columns is not None:
            words, bags = self._precomputed_bags(index, self.text.bag_columns)
        elif self.columns.text:
            words, bags = BagOfWords.fit_chunks(
                self._texts(index), self.num_train, len(self.ids), self.text
            )
        if words is not None and bags is not None:
            counts["words"] = len(words)
            counts["without_text"] = int((np.diff(bags.indptr)[: self.num_train] == 0).sum())
        if self.columns.categories:
            categories = CategoryFeatures.fit(self._tokens(index), self.num_train, len(self.ids))
        if self.columns.numbers:
            numbers = self._numbers(index)
        if self.columns.vectors:
            vectors = self._vectors(index)
        return SideFeatures(words, bags, categories, numbers, vectors, counts)

    def _index_of_all(self) -> np.ndarray:
        # Of each row's id, after checking that no id is null or repeats.
        name = self.columns.ids
        column = read_columns(self.dataset, [name])[name]
        wanted = self.ids.ids.type if self.columns.cast_ids else None
        ids = to_ids(column, f"the column {name!r} of {self.where}", wanted)
        require_distinct(ids, self.where)
        index = self.ids.index_of(ids)
        if not (index >= 0).any():
            first = f"; the first is {ids[0].as_py()!r}" if len(ids) else ""
            raise InputError(
                f"{self.where} must have ids of the log in the column {name!r}, but none of its "
                f"{len(ids)} is there{first}; name another column or table, or leave it out"
            )
        return index

    def _batches(
        self, index: np.ndarray, columns: Sequence[str]
    ) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """Yield the rows of known ids, a chunk at a time, and their indices."""
        start = 0
        for batch in read_batches(self.dataset, [self.columns.ids, *columns], _CHUNK_ROWS):
            some = index[start : start + batch.num_rows]
            start += batch.num_rows
            known = np.flatnonzero(some >= 0)
            table = pa.Table.from_batches([batch])
            if len(known) < len(some):
                table = table.take(pa.array(known))
            yield some[known], table

    def _texts(self, index: np.ndarray) -> Iterator[tuple[np.ndarray, list[str]]]:
        for some, table in self._batches(index, self.columns.text):
            columns = [texts_of(table[name], name) for name in self.columns.text]
            yield some, [" ".join(filter(None, each)) for each in zip(*columns, strict=True)]

    def _tokens(self, index: np.ndarray) -> Iterator[tuple[np.ndarray, list[list[str]]]]:
        for some, table in self._batches(index, self.columns.categories):
            yield some, category_tokens(table, self.columns.categories)

    def _numbers(self, index: np.ndarray) -> NumberFeatures:
        values = np.full((len(self.ids), len(self.columns.numbers)), np.nan)
        for some, table in self._batches(index, self.columns.numbers):
            values[some] = numbers_of(table, self.columns.numbers)
        return NumberFeatures.fit(values, self.columns.numbers, self.num_train)

    def _vectors(self, index: np.ndarray) -> VectorFeatures:
        columns: dict[str, np.ndarray] = {}
        for some, table in self._batches(index, self.columns.vectors):
            for name in self.columns.vectors:
                found = columns.get(name)
                size = None if found is None else found.shape[1]
                row, values = vectors_of(table, name, size, self.columns.ids, self.where)
                if len(row):
                    found = columns.setdefault(
                        name, np.zeros((len(self.ids), values.shape[1]), dtype=np.float32)
                    )
                    found[some[row]] = values
        without = [name for name in self.columns.vectors if name not in columns]
        if without:
            raise InputError(
                f"the column {without[0]!r} of {self.where} must hold a vector of an id of the "
                "log, but has none; leave it out of the features"
            )
        wanted = {name: columns[name] for name in self.columns.vectors}
        return VectorFeatures.fit(wanted, self.num_train)

    def _precomputed_bags(
        self, index: np.ndarray, columns: tuple[str, str]
    ) -> tuple[BagOfWords, csr_matrix]:
        pieces = []
        for some, table in self._batches(index, columns):
            row, word, count = bag_cells(table, columns, self.columns.ids, self.where)
            pieces.append((some[row], word, count))
        row, word, count = (np.concatenate(some) for some in zip(*pieces, strict=True))
        size = int(word[(row < self.num_train) & (count > 0)].max(initial=-1)) + 1
        if size == 0:
            raise InputError(
                f"a bag of words of {self.where} must have a word, but none of {self.num_train} "
                "ids with training rows has one; leave text.bag_columns out"
            )
        kept = (word < size) & (count > 0)
        cells = (count[kept], (row[kept], word[kept]))
        matrix = coo_matrix(cells, shape=(len(self.ids), size)).tocsr()
        return BagOfWords.of_counts(matrix, range(size), self.num_train, self.text)
