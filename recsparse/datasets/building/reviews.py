"""Texts of the log, such as reviews: kept by their hash, given to the user and the item."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from recsparse.datasets.building.row_groups import write_row_groups
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.workspace import Workspace

AxisName = Literal["user", "item"]

_FILE = "texts.parquet"
# Few enough for long texts, of which a chunk is in memory at a time.
_ROWS = 8_192


class Reviews:
    """Texts of rows, out of memory.

    A text is known by its hash, which depends neither on the order of rows nor on other texts.

    Args:
        work: The workspace.
    """

    def __init__(self, work: Workspace) -> None:
        self._database = work.database
        self._database.execute("CREATE TABLE texts (hash BIGINT, text VARCHAR)")
        self._database.execute("CREATE TABLE train_texts (user INTEGER, item INTEGER, hash BIGINT)")

    def keep(self, table: pa.Table, columns: tuple[str, ...]) -> np.ndarray:
        """Keep the text of each row.

        Args:
            table: Rows with columns of text.
            columns: Those to join by a blank; null is empty.

        Returns:
            int64, the hash of each row's text.
        """
        found = [self._keep(some) for some in table.select(columns).to_batches(_ROWS)]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def _keep(self, batch: pa.RecordBatch) -> np.ndarray:
        columns = [column.to_pylist() for column in batch.columns]
        joined = [" ".join(filter(None, each)) for each in zip(*columns, strict=True)]
        objects = np.array(joined, dtype=object)
        hashes: np.ndarray = pd.util.hash_array(objects).astype(np.uint64).view(np.int64)
        texts = pa.table({"hash": hashes, "text": pa.array(joined, pa.string())})
        self._insert("texts", "SELECT DISTINCT *", texts)
        return hashes

    def see_train(self, rows: Rows) -> None:
        """Take training rows, by the indices of the dataset.

        Args:
            rows: Rows with hashes of texts.
        """
        table = pa.table({"user": rows.user, "item": rows.item, "hash": rows.text})
        self._insert("train_texts", "SELECT *", table)

    def _insert(self, name: str, select: str, table: pa.Table) -> None:
        self._database.register("incoming", table)
        self._database.execute(f"INSERT INTO {name} {select} FROM incoming")
        self._database.unregister("incoming")

    def texts(self, axis: AxisName) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yield the texts of the training rows of each user or item.

        They are not joined: all reviews of a popular item may be more than the memory.

        Args:
            axis: Which.

        Yields:
            Indices, rising, and a text of each; rows without text do not occur.
        """
        reader = self._database.sql(
            f"""SELECT {axis} AS index, text
            FROM train_texts JOIN (SELECT DISTINCT * FROM texts) USING (hash)
            WHERE text <> '' ORDER BY {axis}"""
        ).to_arrow_reader(_ROWS)
        for batch in reader:
            yield np.asarray(batch.column("index")), batch.column("text").to_pylist()

    def save(self, folder: Path) -> None:
        """Write all texts, for `load`.

        Args:
            folder: Where to.
        """
        reader = self._database.sql(
            "SELECT DISTINCT hash, text FROM texts ORDER BY hash"
        ).to_arrow_reader(_ROWS)
        write_row_groups(reader, folder / _FILE)

    def load(self, folder: Path) -> None:
        """Take the texts that `save` wrote.

        Args:
            folder: Where they are.
        """
        self._database.execute(
            "INSERT INTO texts SELECT * FROM read_parquet(?)", [str(folder / _FILE)]
        )
