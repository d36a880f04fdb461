"""What orders do to grids, and how fast grids stream from a file.

`python -m benchmarks.grids orders`: locality and seconds of every order on MovieLens-100K,
MovieLens-1M and Gowalla, from the folder in `RECSPARSE_DATA`.

`python -m benchmarks.grids stream [--rows 20000000]`: cells per second on one core, and memory,
from a memory-mapped file of synthetic rows; each grid in a process of its own.

`python -m benchmarks.grids pictures`: the pictures of docs/how-to/grids.md.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
import typer
from scipy.sparse import coo_matrix, csr_matrix

from benchmarks.measuring.public_data import public_path
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.datasets.indexed_rows import INDEXED_SCHEMA, RowsWriter, open_indexed
from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.orders.fit_order import Activity, OrderKind, fit_order
from recsparse.grids.grid_plot import plot_grids
from recsparse.grids.grid_spec import GridFeature, GridSpec, GridStatistics
from recsparse.grids.interaction_grid import interactions_to_grid, locality
from recsparse.grids.user_blocks import grid_blocks
from recsparse.sparse.tensor import SparseTensor

KINDS: tuple[OrderKind, ...] = ("random", "popularity", "time", "spectral", "bisection")
SETS = {
    "MovieLens-100K": "movielens-100k/interactions.parquet",
    "MovieLens-1M": "movielens-1m/interactions.parquet",
    "Gowalla": "gowalla/train.parquet",
}
PICTURED = "movielens-latest-small-2016/interactions.parquet"

ALL_FEATURES: tuple[GridFeature, ...] = (
    "weight",
    "rating",
    "recency",
    "count",
    "item_popularity",
    "user_activity",
)
SPECS = {
    "user × item": GridSpec(),
    "user × item, 6 channels": GridSpec(features=ALL_FEATURES),
    "user × time": GridSpec(axes=("user", "time")),
    "user × item × time": GridSpec(axes=("user", "item", "time")),
    "position × item": GridSpec(axes=("position", "item")),
}
ROWS_OF_USER, ROWS_OF_ITEM = 50, 200
CHUNK_USERS = 20_000
FIRST_SECOND, SECONDS = 1_600_000_000, 365 * 86_400

app = typer.Typer(add_completion=False)


@app.command()
def orders() -> None:
    """Show the locality of every order, and the seconds that both axes take."""
    localities, seconds = [], []
    for name, path in SETS.items():
        matrix, activities = interactions(public_path(path))
        shape = {"data": name, "grid": f"{matrix.shape[0]:,} × {matrix.shape[1]:,}"}
        found: dict[str, float] = {}
        taken: dict[str, float] = {}
        for kind in KINDS:
            if kind == "time" and np.isnan(activities[0].first_event).all():
                continue
            started = time.perf_counter()
            both = both_orders(kind, matrix, activities)
            taken[kind] = time.perf_counter() - started
            found[kind] = locality(interactions_to_grid(matrix, *both))
        localities.append(shape | {"cells": matrix.nnz} | found)
        seconds.append(shape | taken)
    show_frame("locality", pd.DataFrame(localities))
    show_frame("seconds, both axes", pd.DataFrame(seconds))


def interactions(path: Path) -> tuple[csr_matrix, tuple[Activity, Activity]]:
    """Read a log of a public data set.

    Args:
        path: Columns `user_id`, `item_id` and perhaps `timestamp`.

    Returns:
        Users × items with the weight 1, and what users and items did.
    """
    frame = pd.read_parquet(path)
    user, item = (frame[name].factorize(sort=True)[0] for name in ("user_id", "item_id"))
    known = frame["timestamp"] if "timestamp" in frame else pd.Series(np.nan, frame.index)
    activities = [
        Activity(
            np.bincount(index).astype(np.float64),
            known.groupby(index).min().to_numpy(np.float64, na_value=np.nan),
        )
        for index in (user, item)
    ]
    matrix = coo_matrix((np.ones(len(frame), np.float32), (user, item))).tocsr()
    return matrix, (activities[0], activities[1])


def both_orders(
    kind: OrderKind, matrix: csr_matrix, activities: tuple[Activity, Activity]
) -> tuple[AxisOrder, AxisOrder]:
    """Fit the orders of users and items.

    Args:
        kind: Of both.
        matrix: Users × items.
        activities: Of users and of items.

    Returns:
        The orders.
    """
    return (
        fit_order(kind, activities[0], lambda: matrix),
        fit_order(kind, activities[1], lambda: csr_matrix(matrix.T), seed=1),
    )


@app.command()
def pictures(out: Path = Path("docs/images")) -> None:
    """Draw a grid in several orders."""
    matrix, activities = interactions(public_path(PICTURED))
    kinds: tuple[OrderKind, ...] = ("random", "popularity", "spectral", "bisection")
    grids: dict[str, SparseTensor] = {
        kind: interactions_to_grid(matrix, *both_orders(kind, matrix, activities)) for kind in kinds
    }
    plot_grids(grids).savefig(out / "grid_orders.png", dpi=60)


@app.command()
def stream(
    rows: Annotated[int, typer.Option(help="Rows of the file.", min=1)] = 20_000_000,
) -> None:
    """Measure how fast blocks of grids come from a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "train.arrow"
        write_rows(path, rows)
        typer.echo(f"{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB", err=True)
        lines = []
        for name in SPECS:
            # A fresh process each, whose memory nothing else has touched.
            command = [sys.executable, "-m", "benchmarks.grids", "measure", str(path), name]
            lines.append(json.loads(subprocess.check_output(command)))
    show_frame("blocks of 1,024 users on one core", pd.DataFrame(lines))


def write_rows(path: Path, num_rows: int) -> None:
    """Write synthetic training rows, a chunk of users at a time.

    Args:
        path: The Arrow file.
        num_rows: About this many; 50 per user and 200 per item, popularity falling as 1 / place.
    """
    rng = np.random.default_rng(0)
    num_users, num_items = max(num_rows // ROWS_OF_USER, 1), max(num_rows // ROWS_OF_ITEM, 1)
    with RowsWriter(path, INDEXED_SCHEMA) as writer:
        for first in range(0, num_users, CHUNK_USERS):
            users = np.arange(first, min(first + CHUNK_USERS, num_users), dtype=np.int32)
            user = np.repeat(users, rng.geometric(1 / ROWS_OF_USER, len(users)))
            item = (num_items + 1) ** rng.random(len(user)) - 1
            seconds = FIRST_SECOND + rng.integers(0, SECONDS, len(user))
            seconds = seconds[np.lexsort((seconds, user))]
            columns = [
                pa.array(user),
                pa.array(item.astype(np.int32)),
                pa.array(np.ones(len(user), np.float32)),
                pa.array(seconds),
                pa.array(rng.integers(1, 6, len(user)).astype(np.float32)),
            ]
            writer.write(pa.record_batch(columns, schema=INDEXED_SCHEMA))


@app.command(hidden=True)
def measure(path: Path, name: str) -> None:
    """Measure one grid: shuffled users, items and blocks, as a training has them."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    table = open_indexed(path)
    num_users = table["user_index"][-1].as_py() + 1
    num_items = max(batch["item_index"].to_numpy().max() for batch in table.to_batches()) + 1
    statistics = GridStatistics.of(table, num_users, int(num_items))
    rng = np.random.default_rng(0)
    both = AxisOrder(rng.permutation(num_users)), AxisOrder(rng.permutation(num_items))
    before, most, num_cells = _anonymous_mb(), 0.0, 0
    started = time.perf_counter()
    for block in grid_blocks(table, SPECS[name], statistics, *both, seed=0):
        num_cells += block.tensor.grid.num_cells
        most = max(most, _anonymous_mb())
    seconds = time.perf_counter() - started
    line = {
        "grid": name,
        "rows": table.num_rows,
        "cells": num_cells,
        "seconds": seconds,
        "million cells per second": num_cells / seconds / 1e6,
        "file, MB": path.stat().st_size / 1e6,
        "peak over the start, MB": most - before,
    }
    typer.echo(json.dumps(line))


def _anonymous_mb() -> float:
    """Return the memory that is no page of a mapped file: those the system can drop at any time."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1000
    return float("nan")


if __name__ == "__main__":
    exit_on_error(app)
