"""Texts of the log, such as reviews: kept by their hash, joined for each user and item."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from recsparse.datasets.row_groups import write_row_groups
from recsparse.datasets.rows import Rows
from recsparse.datasets.workspace import Workspace

AxisName = Literal["user", "item"]

_FILE = "texts.parquet"
_ROWS = 65_536


class Reviews:
    """Texts of rows, out of memory.

    A text is known by its hash, which depends neither on the order of rows nor on other texts.

    Args:
        work: The workspace.
    """

    def __init__(self, work: Workspace) -> None:
        self._database = work.database
        self._database.execute("CREATE TABLE texts (hash BIGINT, text VARCHAR)")
        self._database.execute(
            "CREATE TABLE train_texts (user INTEGER, item INTEGER, timestamp BIGINT, hash BIGINT)"
        )

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
        texts = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        joined = [" ".join(filter(None, each)) for each in texts]
        objects = np.array(joined, dtype=object)
        hashes: np.ndarray = pd.util.hash_array(objects).astype(np.uint64).view(np.int64)
        self._insert("texts", pa.table({"hash": hashes, "text": pa.array(joined, pa.string())}))
        return hashes

    def see_train(self, rows: Rows) -> None:
        """Take training rows, by the indices of the dataset.

        Args:
            rows: Rows with hashes of texts.
        """
        columns = {"user": rows.user, "item": rows.item, "timestamp": rows.timestamp}
        self._insert("train_texts", pa.table({**columns, "hash": rows.text}))

    def _insert(self, name: str, table: pa.Table) -> None:
        self._database.register("incoming", table)
        self._database.execute(f"INSERT INTO {name} SELECT DISTINCT * FROM incoming")
        self._database.unregister("incoming")

    def texts(self, axis: AxisName) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yield one text for each user or item: those of its training rows, by time.

        Rows of the same time are ordered by the other axis, then by the hash of their texts.

        Args:
            axis: Which.

        Yields:
            Indices, rising, and their texts; an id without text does not occur.
        """
        other = "item" if axis == "user" else "user"
        reader = self._database.sql(
            f"""SELECT {axis} AS index,
                string_agg(text, ' ' ORDER BY timestamp, {other}, hash) AS text
            FROM train_texts JOIN (SELECT DISTINCT * FROM texts) USING (hash)
            WHERE text <> '' GROUP BY {axis} ORDER BY {axis}"""
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
