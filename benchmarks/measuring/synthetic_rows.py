"""Logs of any length: Zipf popularity, heavy-tailed activity, times and ratings.

`python -m benchmarks.measuring.synthetic_rows FOLDER [--rows 20000000] [--files 8] [--seed 0]
[--form parquet-text]`
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import typer

ROWS_A_USER, ROWS_AN_ITEM = 40, 200
# Of the power law of users; that of items is 1, as Zipf's.
_USER_EXPONENT = 0.5
_CHUNK_ROWS = 1_000_000
_START, _SECONDS = 1_600_000_000, 2 * 365 * 86_400
_RATING_SHARES = (0.06, 0.11, 0.27, 0.34, 0.22)  # those of MovieLens-100K
# Odd, so that each number below 2^32 is some number's multiple and ids are in no order of rank.
_SCATTER = 2_654_435_761


class Form(StrEnum):
    """The kind of the files, and the type of the ids."""

    PARQUET_TEXT = "parquet-text"
    PARQUET_INTEGER = "parquet-integer"
    CSV_TEXT = "csv-text"
    CSV_INTEGER = "csv-integer"

    @property
    def suffix(self) -> str:
        """The ending of the files, without a dot."""
        return self.partition("-")[0]

    @property
    def id_type(self) -> pa.DataType:
        """The type of the ids."""
        return pa.string() if self.endswith("text") else pa.int64()


def write_log(
    folder: Path, rows: int, files: int, seed: int = 0, form: Form = Form.PARQUET_TEXT
) -> list[Path]:
    """Write a log, a million rows in memory at a time.

    Items have a Zipf distribution: the n-th most popular one has rows in proportion to 1 / n. The
    n-th most active user has rows in proportion to 1 / √n. There are 40 rows per user and 200 per
    item on average, so that ids grow with the rows. Each file holds the next part of the time, in
    no order within, as a log that is written day by day.

    Args:
        folder: Where to; made if it is not there.
        rows: Rows in all.
        files: Number of files, at most the number of rows.
        seed: Of the random numbers.
        form: Of the files and the ids.

    Returns:
        The files: `user_id` and `item_id` strings of 13 letters or numbers below 2³², `timestamp`
        in seconds, `rating` from 1 to 5.
    """
    folder.mkdir(parents=True, exist_ok=True)
    users = _ids("user", max(rows // ROWS_A_USER, 2), form)
    items = _ids("item", max(rows // ROWS_AN_ITEM, 2), form)
    cuts = np.linspace(0, rows, files + 1).astype(np.int64)
    seeds = np.random.SeedSequence(seed).spawn(files)
    paths = []
    for number, own_seed in enumerate(seeds):
        rng = np.random.default_rng(own_seed)
        paths.append(folder / f"part-{number:03}.{form.suffix}")
        times = _start(number, files), _start(number + 1, files)
        size = int(cuts[number + 1] - cuts[number])
        with _writer(paths[-1], form) as writer:
            for chunk in _chunks(size):
                writer.write_table(_draw(rng, chunk, users, items, times))
    return paths


def _draw(
    rng: np.random.Generator, size: int, users: pa.Array, items: pa.Array, times: tuple[int, int]
) -> pa.Table:
    # Both distributions are drawn by the inverse of their continuous distribution function.
    user = len(users) * rng.random(size) ** (1 / (1 - _USER_EXPONENT))
    item = np.exp(rng.random(size) * np.log(len(items) + 1)) - 1
    rating = 1 + np.searchsorted(np.cumsum(_RATING_SHARES)[:-1], rng.random(size), side="right")
    return pa.table(
        {
            "user_id": users.take(pa.array(user.astype(np.int64))),
            "item_id": items.take(pa.array(np.minimum(item.astype(np.int64), len(items) - 1))),
            "timestamp": rng.integers(times[0], times[1], size),
            "rating": rating.astype(np.float32),
        }
    )


def _writer(path: Path, form: Form) -> pq.ParquetWriter | pc.CSVWriter:
    columns = {"timestamp": pa.int64(), "rating": pa.float32()}
    schema = pa.schema({"user_id": form.id_type, "item_id": form.id_type, **columns})
    if form.suffix == "parquet":
        return pq.ParquetWriter(path, schema)
    return pc.CSVWriter(path, schema, write_options=pc.WriteOptions(quoting_style="none"))


def _start(number: int, files: int) -> int:
    return _START + _SECONDS * number // files


def _ids(kind: str, number: int, form: Form) -> pa.Array:
    scattered = np.arange(number, dtype=np.uint64) * np.uint64(_SCATTER) % np.uint64(2**32)
    if form.id_type == pa.int64():
        return pa.array(scattered.astype(np.int64))
    return pa.array([f"{kind}-{name:08x}" for name in scattered.tolist()])


def _chunks(size: int) -> Iterator[int]:
    for start in range(0, size, _CHUNK_ROWS):
        yield min(_CHUNK_ROWS, size - start)


def run(
    folder: Annotated[Path, typer.Argument(help="Where to write.")],
    rows: Annotated[int, typer.Option(help="Rows in all.", min=1)] = 20_000_000,
    files: Annotated[int, typer.Option(help="Number of files.", min=1)] = 8,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
    form: Annotated[Form, typer.Option(help="Of files and ids.")] = Form.PARQUET_TEXT,
) -> None:
    """Write a log."""
    for path in write_log(folder, rows, files, seed, form):
        typer.echo(path)


if __name__ == "__main__":
    typer.run(run)
