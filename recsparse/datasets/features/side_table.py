"""Tables of items and users: what is known of an id besides its rows in the log."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from scipy.sparse import csr_matrix

from recsparse.config.data import TextConfig
from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.datasets.features.categories_and_numbers import CategoryFeatures, NumberFeatures
from recsparse.datasets.features.precomputed_bags import bag_matrix
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_rows import SideRows
from recsparse.datasets.features.vectors import VectorFeatures
from recsparse.datasets.reading.tables import open_dataset, require_columns
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.files.stand_ins import called


@dataclass(frozen=True, eq=False)
class SideFeatures:
    """Features of the ids of one axis, fitted on the training ids; these come first.

    Attributes:
        words: The vocabulary of the text.
        bags: float32, ids × words.
        categories: Categories.
        numbers: Numbers.
        vectors: Vectors.
        counts: `words`; ids `without_text` (of training) and `not_in_table` (of the log).
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
) -> tuple[SideFeatures, Vocabulary]:
    """Read a table chunk by chunk and fit its features on the training ids.

    Args:
        path: A file, a folder, a glob or an address.
        columns: What to read.
        train: Ids with training rows.
        unseen: Other ids of the log.
        text: How text becomes a bag of words.
        where: What to call the table in an error; its path where it is None.

    Returns:
        The features of the ids of the log, and behind them of those that the table alone has; and
        the latter, sorted.

    Raises:
        SchemaError: If a column is missing or of a wrong type, or there is nothing to read.
        InputError: If an id is null, blank or occurs twice, ids are of another type than the
            log's, none of them is in the log, or no training id has a word.
    """
    id_type = train.ids.type
    dataset = open_dataset(path, roles=columns.roles(id_type))
    rows = _rows(dataset, columns, id_type, text, where or called(path))
    log = Vocabulary(pa.concat_arrays([train.ids, unseen.ids.cast(id_type)]))
    index, others = _placed(rows, log)
    side = _SideTable(rows, index, len(train), len(log) + len(others), text).fit()
    counts = {"not_in_table": len(log) + len(others) - int((index >= 0).sum()), **side.counts}
    return replace(side, counts=counts), others


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
    _rows(ds.dataset(schema.empty_table()), columns, id_type, text, where)


def _rows(
    dataset: ds.Dataset, columns: SideColumns, id_type: pa.DataType, text: TextConfig, where: str
) -> SideRows:
    require_columns(dataset, where, [columns.ids, *columns.all(text.bag_columns)])
    resolved = columns.resolved(dataset.schema, text.bag_columns, where)
    rows = SideRows(dataset, where, resolved, text.bag_columns)
    rows.check(id_type)
    return rows


def _placed(rows: SideRows, log: Vocabulary) -> tuple[np.ndarray, Vocabulary]:
    # The index of each row's id, and the ids that are not in the log, which come last.
    ids, counts = rows.ids(log.ids.type)
    index = np.where(counts, log.index_of(ids), -1)
    if (index < 0).all():
        first = f"; the first is {ids[0].as_py()!r}" if len(ids) else ""
        raise InputError(
            f"{rows.where} must have ids of the log in the column {rows.columns.ids!r}, but none "
            f"of its {len(ids)} is there{first}; name another column or table, or leave it out"
        )
    is_other = counts & (index < 0)
    others = ids.filter(pa.array(is_other))
    order = pc.sort_indices(others).to_numpy()
    rank = np.empty(len(others), dtype=np.int64)
    rank[order] = np.arange(len(others))
    index[is_other] = len(log) + rank
    return index, Vocabulary(others.take(pa.array(order)))


@dataclass(frozen=True, eq=False)
class _SideTable:
    rows: SideRows
    index: np.ndarray  # of the id of each row
    num_train: int
    num_ids: int
    text: TextConfig

    def fit(self) -> SideFeatures:
        rows, index, num_train, num_ids = self.rows, self.index, self.num_train, self.num_ids
        columns = rows.columns
        words = bags = categories = numbers = vectors = None
        counts: dict[str, int] = {}
        if self.text.bag_columns is not None:
            words, bags = self._precomputed_bags(self.text.bag_columns)
        elif columns.text:
            # With the columns, the words alone tell which text of another table is to be read.
            text = self.text.model_copy(update={"columns": tuple(columns.text)})
            words, bags = BagOfWords.fit_chunks(rows.texts(index), num_train, num_ids, text)
        if words is not None and bags is not None:
            counts["words"] = len(words)
            counts["without_text"] = int((np.diff(bags.indptr)[:num_train] == 0).sum())
        if columns.categories:
            categories = CategoryFeatures.fit(rows.categories(index), num_train, num_ids)
        if columns.numbers:
            values = rows.numbers(index, num_ids)
            numbers = NumberFeatures.fit(values, columns.numbers, num_train)
        if columns.vectors:
            vectors = self._vectors()
        return SideFeatures(words, bags, categories, numbers, vectors, counts)

    def _vectors(self) -> VectorFeatures:
        names, found = self.rows.columns.vectors, self.rows.vectors(self.index, self.num_ids)
        without = [name for name in names if name not in found]
        if without:
            raise InputError(
                f"the column {without[0]!r} of {self.rows.where} must hold a vector, but has none; "
                "leave it out of the features"
            )
        return VectorFeatures.fit({name: found[name] for name in names}, self.num_train)

    def _precomputed_bags(self, columns: tuple[str, str]) -> tuple[BagOfWords, csr_matrix]:
        row, word, count = self.rows.bags(self.index, columns)
        size = int(word[(row < self.num_train) & (count > 0)].max(initial=-1)) + 1
        if size == 0:
            raise InputError(
                f"a bag of words of {self.rows.where} must have a word, but none of "
                f"{self.num_train} ids with training rows has one; leave text.bag_columns out"
            )
        matrix = bag_matrix((row, word, count), (self.num_ids, size))
        return BagOfWords.of_counts(matrix, range(size), self.num_train, self.text)
