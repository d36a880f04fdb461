"""Vocabulary: ids in the data and the indices 0 … n − 1 of a model's axis."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsparse.datasets.id_types import Ids, ids_of
from recsparse.datasets.reading.tables import read_table
from recsparse.errors import InputError
from recsparse.files.atomic import atomic_file

_COLUMN = "id"
# How many times as many ids there must be as are looked up, for these to be the table.
_FEW = 8


@dataclass(frozen=True)
class Vocabulary:
    """Ids in a fixed order; the place of an id is its index.

    Attributes:
        ids: int64 or string, each once.
    """

    ids: pa.Array

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def fit(cls, ids: Ids) -> "Vocabulary":
        """Collect ids, sorted, so that their order in the data does not matter.

        Args:
            ids: Ids with repetitions, none of them null.

        Returns:
            The vocabulary.

        Raises:
            InputError: If an id is null, or the ids are not all integers or all strings.

        Example:
            >>> Vocabulary.fit(["b", "a", "b"]).ids.to_pylist()
            ['a', 'b']
        """
        column = ids_of(ids)
        if column.null_count:
            raise InputError(f"ids must not be null, but {column.null_count} are")
        distinct = column.unique()
        return cls(distinct.take(pc.sort_indices(distinct)))

    def index_of(self, ids: Ids) -> np.ndarray:
        """Look ids up.

        Args:
            ids: Ids of the vocabulary's own type.

        Returns:
            The index of each, int64; -1 for an unknown or null one.

        Raises:
            InputError: If integers are looked up in a vocabulary of strings, or the other way
                round, or the ids are not all integers or all strings.

        Example:
            >>> Vocabulary.fit(["b", "a"]).index_of(["b", "z"]).tolist()
            [1, -1]
        """
        column = ids_of(ids)
        if column.type != self.ids.type:
            if len(self) and column.null_count < len(column):
                raise InputError(
                    f"ids must be of the type {self.ids.type}, as those the model knows, but are "
                    f"{column.type}; cast them"
                )
            return np.full(len(column), -1, dtype=np.int64)
        if len(column) * _FEW < len(self):
            return self._index_of_few(column)
        found = pc.index_in(column, value_set=self.ids)
        index: np.ndarray = found.fill_null(-1).to_numpy(zero_copy_only=False)
        return index.astype(np.int64)

    def _index_of_few(self, column: pa.Array) -> np.ndarray:
        # A table of the few is made, and the vocabulary looked up in it, not the other way round.
        few = column.drop_null().unique()
        number = pc.index_in(self.ids, value_set=few)
        place = np.flatnonzero(number.is_valid().to_numpy(zero_copy_only=False))
        index = np.full(len(few) + 1, -1, dtype=np.int64)  # the last one for those that are null
        index[number.take(pa.array(place)).to_numpy(zero_copy_only=False)] = place
        own = pc.index_in(column, value_set=few).fill_null(len(few))
        return index[own.to_numpy(zero_copy_only=False)]

    def id_of(self, index: np.ndarray) -> pa.Array:
        """Return the ids at some places.

        Args:
            index: Indices from 0 to n − 1.

        Returns:
            Their ids.
        """
        return self.ids.take(pa.array(index))

    def followed_by(self, others: "Vocabulary | None") -> "Vocabulary":
        """Return these ids, and others behind them.

        Args:
            others: None of these; of the same type, whatever that of no ids is.

        Returns:
            All of them.
        """
        if others is None or len(others) == 0:
            return self
        return Vocabulary(pa.concat_arrays([self.ids.cast(others.ids.type), others.ids]))

    def save(self, path: str | Path) -> None:
        """Write the ids to Parquet, in order.

        Args:
            path: The file.

        Raises:
            OutputError: If the disk is full.
        """
        with atomic_file(path) as aside:
            pq.write_table(pa.table({_COLUMN: self.ids}), aside, compression="zstd")

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        """Read what `save` wrote.

        Args:
            path: The file.

        Returns:
            The vocabulary.

        Raises:
            InputError: If the file is missing or damaged, or the ids are not integers or strings,
                or null, or twice there.
        """
        ids = read_table(path, [_COLUMN])[_COLUMN].combine_chunks()
        if ids.type not in (pa.int64(), pa.string()):
            raise InputError(f"{path} must hold ids of int64 or string, but they are {ids.type}")
        rises = not ids.null_count and pc.all(pc.less(ids[:-1], ids[1:]), min_count=0).as_py()
        # Of ids in their order, as most vocabularies are, no table needs to be made.
        distinct = len(ids) if rises else pc.count_distinct(ids, mode="all").as_py()
        if ids.null_count or distinct < len(ids):
            raise InputError(
                f"{path} must hold each id once and none that is null, but {ids.null_count} are "
                f"null and {len(ids)} ids are {distinct}; make the folder anew"
            )
        return cls(ids)
