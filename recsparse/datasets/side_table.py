"""Tables of items and users: what is known of an id besides its rows in the log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.data_config import TextConfig
from recsparse.datasets.features import (
    CategoryFeatures,
    NumberFeatures,
    category_tokens,
    numbers_of,
)
from recsparse.datasets.parquet import (
    open_dataset,
    read_batches,
    read_columns,
    require_columns,
)
from recsparse.datasets.schema import id_type, to_ids
from recsparse.datasets.text import BagOfWords
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, SchemaError

_CHUNK_ROWS = 65_536


@dataclass(frozen=True)
class SideColumns:
    """Which columns of a table are read.

    Attributes:
        ids: The column of ids.
        text: Columns of text; none named means every string column that is nothing else.
        categories: Columns of categories.
        numbers: Columns of numbers.
    """

    ids: str
    text: Sequence[str] = ()
    categories: Sequence[str] = ()
    numbers: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class SideFeatures:
    """Features of the ids of one axis, fitted on the training ids; these come first.

    Attributes:
        words: The vocabulary of the text.
        bags: float32, ids × words.
        categories: Categories.
        numbers: Numbers.
        counts: `words`; ids `without_text` (of training), `not_in_table` (of the log), and
            `unused` ones (of the table).
    """

    words: BagOfWords | None = None
    bags: csr_matrix | None = None
    categories: CategoryFeatures | None = None
    numbers: NumberFeatures | None = None
    counts: dict[str, int] = field(default_factory=dict)


def fit_side_features(
    path: str | Path,
    columns: SideColumns,
    train: Vocabulary,
    unseen: Vocabulary,
    text: TextConfig,
) -> SideFeatures:
    """Read a table chunk by chunk and fit its features on the training ids.

    Args:
        path: A file, a folder, a glob or an address.
        columns: What to read.
        train: Ids with training rows.
        unseen: Ids without.
        text: How text becomes a bag of words.

    Returns:
        The features of all ids, those of the table that are not in the log left out.

    Raises:
        SchemaError: If a column is missing or of a wrong type, or there is nothing to read.
        InputError: If an id is null or occurs twice, or ids are of another type than the log's.
    """
    return _SideTable.open(path, columns, train, unseen, text).fit()


@dataclass(frozen=True, eq=False)
class _SideTable:
    where: str
    dataset: ds.Dataset
    columns: SideColumns
    text: TextConfig
    ids: Vocabulary
    num_train: int

    @classmethod
    def open(
        cls,
        path: str | Path,
        columns: SideColumns,
        train: Vocabulary,
        unseen: Vocabulary,
        text: TextConfig,
    ) -> "_SideTable":
        dataset = open_dataset(path)
        named = [columns.ids, *columns.text, *columns.categories, *columns.numbers]
        require_columns(dataset, path, [*named, *(text.bag_columns or ())])
        if not columns.text and text.bag_columns is None:
            others = {columns.ids, *columns.categories}
            found = [
                each.name
                for each in dataset.schema
                if id_type(each.type) == pa.string() and each.name not in others
            ]
            columns = SideColumns(columns.ids, found, columns.categories, columns.numbers)
        if not (columns.text or columns.categories or columns.numbers or text.bag_columns):
            raise SchemaError(
                f"{path} must have a text column, or columns of features must be named, but it has "
                f"only {', '.join(dataset.schema.names)}"
            )
        ids = Vocabulary(pa.concat_arrays([train.ids, unseen.ids.cast(train.ids.type)]))
        table = cls(str(path), dataset, columns, text, ids, len(train))
        table.check_types()
        return table

    def check_types(self) -> None:
        for name in self.columns.text:
            kind = self.dataset.schema.field(name).type
            if id_type(kind) != pa.string():
                raise SchemaError(
                    f"the text column {name!r} of {self.where} must hold strings, but holds {kind}"
                )
        kind = self.dataset.schema.field(self.columns.ids).type
        if id_type(kind) not in (self.ids.ids.type, None) and len(self.ids):
            raise InputError(
                f"ids must be of the type {self.ids.ids.type}, as in the log, but the column "
                f"{self.columns.ids!r} of {self.where} holds {kind}; cast one of them"
            )

    def fit(self) -> SideFeatures:
        index = self._index_of_all()
        words = bags = categories = numbers = None
        present = np.zeros(len(self.ids), dtype=bool)
        present[index[index >= 0]] = True
        counts = {"not_in_table": int((~present).sum()), "unused": int((index < 0).sum())}
        if self.text.bag_columns is not None:
            words, bags = self._ready_bags(self.text.bag_columns)
        elif self.columns.text:
            words, bags = BagOfWords.fit_chunks(
                self._texts(), self.num_train, len(self.ids), self.text
            )
        if words is not None and bags is not None:
            counts["words"] = len(words)
            counts["without_text"] = int((np.diff(bags.indptr)[: self.num_train] == 0).sum())
        if self.columns.categories:
            categories = CategoryFeatures.fit(self._tokens(), self.num_train, len(self.ids))
        if self.columns.numbers:
            numbers = self._numbers()
        return SideFeatures(words, bags, categories, numbers, counts)

    def _index_of_all(self) -> np.ndarray:
        """Return the index of each row's id, after checking that no id is null or repeats."""
        name = self.columns.ids
        column = read_columns(self.dataset, [name])[name]
        ids = to_ids(column, f"the column {name!r} of {self.where}")
        _require_distinct(ids, self.where)
        return self.ids.index_of(ids)

    def _batches(self, columns: Sequence[str]) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """Yield the rows of known ids, a chunk at a time, and their indices."""
        names = [self.columns.ids, *columns]
        for batch in read_batches(self.dataset, names, _CHUNK_ROWS):
            table = pa.Table.from_batches([batch])
            index = self.ids.index_of(to_ids(table[self.columns.ids], self.columns.ids))
            known = np.flatnonzero(index >= 0)
            yield index[known], table.take(pa.array(known))

    def _texts(self) -> Iterator[tuple[np.ndarray, list[str]]]:
        for index, table in self._batches(self.columns.text):
            columns = [table[name].cast(pa.string()).to_pylist() for name in self.columns.text]
            yield index, [" ".join(filter(None, some)) for some in zip(*columns, strict=True)]

    def _tokens(self) -> Iterator[tuple[np.ndarray, list[list[str]]]]:
        for index, table in self._batches(self.columns.categories):
            yield index, category_tokens(table, self.columns.categories)

    def _numbers(self) -> NumberFeatures:
        values = np.full((len(self.ids), len(self.columns.numbers)), np.nan)
        for index, table in self._batches(self.columns.numbers):
            values[index] = numbers_of(table, self.columns.numbers)
        return NumberFeatures.fit(values, self.columns.numbers, self.num_train)

    def _ready_bags(self, columns: tuple[str, str]) -> tuple[BagOfWords, csr_matrix]:
        """Return bags that are lists of numbers of words, and of counts."""
        pieces = []
        for index, table in self._batches(columns):
            words, counts = (table[name].combine_chunks() for name in columns)
            row = index[pc.list_parent_indices(words).to_numpy()]
            pieces.append((row, pc.list_flatten(words).to_numpy(), _flat(counts, words, columns)))
        row, word, count = (np.concatenate(some) for some in zip(*pieces, strict=True))
        size = int(word[row < self.num_train].max(initial=-1)) + 1
        kept = word < size
        cells = (count[kept].astype(np.int32), (row[kept], word[kept]))
        matrix = coo_matrix(cells, shape=(len(self.ids), size)).tocsr()
        return BagOfWords.of_counts(matrix, range(size), self.num_train, self.text)


def _flat(counts: pa.Array, words: pa.Array, columns: tuple[str, str]) -> np.ndarray:
    if not pc.list_value_length(counts).equals(pc.list_value_length(words)):
        raise InputError(
            f"the columns {columns[0]!r} and {columns[1]!r} must have lists of the same length in "
            "each row, but have not; mend the bags"
        )
    flat: np.ndarray = pc.list_flatten(counts).to_numpy()
    return flat


def _require_distinct(ids: pa.Array, where: str) -> None:
    if ids.null_count:
        raise InputError(
            f"every row of {where} must have an id, but {ids.null_count} of {len(ids)} have none; "
            "fill or drop them"
        )
    counts = ids.value_counts()
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise InputError(
            f"every id of {where} must occur once, but {len(twice)} repeat; the first is "
            f"{twice[0]['values'].as_py()!r}; drop the extra rows"
        )
