"""Logs of any length with string ids: Zipf popularity, heavy-tailed activity, times and ratings.

`python -m benchmarks.synthetic_rows FOLDER [--rows 20000000] [--files 8] [--seed 0]`
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
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
_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("timestamp", pa.int64()),
        ("rating", pa.float32()),
    ]
)


def write_log(folder: Path, rows: int, files: int, seed: int = 0) -> list[Path]:
    """Write a log, a million rows in memory at a time.

    Items have a Zipf distribution: the n-th most popular one has rows in proportion to 1 / n. The
    n-th most active user has rows in proportion to 1 / √n. There are 40 rows a user and 200 an item
    on average, so that ids grow with the rows. Each file holds the next part of the time, in no
    order within, as a log that is written day by day.

    Args:
        folder: Where to; made if it is not there.
        rows: Rows in all.
        files: Number of files, at most the number of rows.
        seed: Of the random numbers.

    Returns:
        The Parquet files: `user_id` and `item_id` strings of 13 letters, `timestamp` in seconds,
        `rating` from 1 to 5.
    """
    folder.mkdir(parents=True, exist_ok=True)
    users = _ids("user", max(rows // ROWS_A_USER, 2))
    items = _ids("item", max(rows // ROWS_AN_ITEM, 2))
    cuts = np.linspace(0, rows, files + 1).astype(np.int64)
    seeds = np.random.SeedSequence(seed).spawn(files)
    paths = []
    for number, own_seed in enumerate(seeds):
        rng = np.random.default_rng(own_seed)
        paths.append(folder / f"part-{number:03}.parquet")
        times = _start(number, files), _start(number + 1, files)
        size = int(cuts[number + 1] - cuts[number])
        with pq.ParquetWriter(paths[-1], _SCHEMA) as writer:
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
    columns = [
        users.take(pa.array(user.astype(np.int64))),
        items.take(pa.array(np.minimum(item.astype(np.int64), len(items) - 1))),
        pa.array(rng.integers(times[0], times[1], size)),
        pa.array(rating.astype(np.float32)),
    ]
    return pa.table(columns, schema=_SCHEMA)


def _start(number: int, files: int) -> int:
    return _START + _SECONDS * number // files


def _ids(kind: str, number: int) -> pa.Array:
    scattered = np.arange(number, dtype=np.uint64) * np.uint64(_SCATTER) % np.uint64(2**32)
    return pa.array([f"{kind}-{name:08x}" for name in scattered.tolist()])


def _chunks(size: int) -> Iterator[int]:
    for start in range(0, size, _CHUNK_ROWS):
        yield min(_CHUNK_ROWS, size - start)


def run(
    folder: Annotated[Path, typer.Argument(help="Where to write.")],
    rows: Annotated[int, typer.Option(help="Rows in all.", min=1)] = 20_000_000,
    files: Annotated[int, typer.Option(help="Number of files.", min=1)] = 8,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
) -> None:
    """Write a log."""
    for path in write_log(folder, rows, files, seed):
        typer.echo(path)


if __name__ == "__main__":
    typer.run(run)
