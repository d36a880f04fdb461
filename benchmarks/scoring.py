"""Batch scores and lists, each in a process of its own, next to implicit and to the bare work.

`python -m benchmarks.scoring [--users 100000] [--pairs 10000000] [--rounds 3] [--out FILE]`

iALS of 128 factors with random vectors of 20,000 items, 30 rows a user. Pairs in random order and
sorted by user are scored by `recsparse score`; the floor is the same Parquet read and written plus
the bare products, in NumPy, with nothing looked up. Lists of 20, seen items masked, are made by
`recsparse recommend` and by implicit's `recommend`; both fold the users in again, or take stored
vectors. One thread each. The contenders take turns; seconds are medians of the processor's, start
included, and ratios medians of those of each round.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import typer
from scipy.sparse import csr_matrix

from benchmarks.measuring.measured_process import Run
from benchmarks.measuring.small_jobs import RECSPARSE, done
from benchmarks.measuring.turns import Out, Rounds, show_rows
from recsparse.config.linear_models import IALSConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.models.linear.ials import IALS
from recsparse.scoring.model_folder import save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory

ITEMS, FACTORS, ROWS_PER_USER, K = 20_000, 128, 30, 20
FLOOR, AGAIN, STORED = "the floor", "implicit, folding in", "implicit, stored vectors"
# What each of ours is compared with.
RIVALS: Mapping[str, tuple[str, ...]] = {
    "score, random order": (FLOOR,),
    "score, by user": (FLOOR,),
    "recommend, folding in": (AGAIN,),
    "recommend, stored vectors": (STORED,),
}


def main(
    users: Annotated[int, typer.Option(help="Number of users.", min=1)] = 100_000,
    pairs: Annotated[int, typer.Option(help="Number of pairs.", min=1)] = 10_000_000,
    rounds: Rounds = 3,
    out: Out = None,
) -> None:
    """Print one row a job."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder), users, pairs)
        named = commands(Path(folder))
        taken = [{name: done(command) for name, command in named.items()} for _ in range(rounds)]
    show_rows(f"{users:,} users, {pairs:,} pairs", table_rows(taken), out)


def write_inputs(folder: Path, num_users: int, num_pairs: int) -> None:
    """Write a model, its vectors, the rows of its users, and pairs.

    Args:
        folder: An empty folder.
        num_users: Number of users.
        num_pairs: Number of pairs.
    """
    rng = np.random.default_rng(0)
    items = 0.1 * rng.standard_normal((ITEMS, FACTORS), dtype=np.float32)
    state = {
        "item_factors": torch.from_numpy(items),
        "unobserved_weight": torch.tensor(0.1, dtype=torch.float64),
    }
    model = IALS.from_state(IALSConfig(factors=FACTORS), state)
    row = np.repeat(np.arange(num_users), ROWS_PER_USER)
    places = row, rng.integers(0, ITEMS, len(row))
    history = csr_matrix((np.ones(len(row), dtype=np.float32), places), (num_users, ITEMS))
    history.sum_duplicates()
    known, catalogue = (Vocabulary(pa.array(np.arange(size))) for size in history.shape)
    for name, stores in (("model", True), ("model-without-vectors", False)):
        saved = IALS.from_state(IALSConfig(factors=FACTORS, store_vectors=stores), state)
        trained = TrainedModel(saved, known, catalogue, RowsInMemory(history))
        save_model(trained, folder / name)
    users = model.user_vectors(history).numpy()
    np.savez(folder / "vectors.npz", users=users, items=items, ridge=model.config.regularisation)
    cells = history.tocoo()
    pq.write_table(
        pa.table({"user_id": cells.row.astype(np.int64), "item_id": cells.col.astype(np.int64)}),
        folder / "history.parquet",
    )
    sizes = {"user_id": num_users, "item_id": ITEMS}
    table = pa.table({name: rng.integers(0, size, num_pairs) for name, size in sizes.items()})
    pq.write_table(table, folder / "random.parquet", compression="zstd")
    pq.write_table(table.sort_by("user_id"), folder / "sorted.parquet", compression="zstd")


def commands(folder: Path) -> dict[str, Sequence[str]]:
    """Return what is measured.

    Args:
        folder: What `write_inputs` filled.

    Returns:
        Program and arguments by name.
    """
    model, vectors, history = (
        str(folder / name) for name in ("model", "vectors.npz", "history.parquet")
    )
    random, by_user = str(folder / "random.parquet"), str(folder / "sorted.parquet")
    quiet = ("--overwrite", "--quiet", "--out")
    implicit = (sys.executable, "-m", "benchmarks.rivals.implicit_recommend", history, vectors)
    floor = (sys.executable, "-m", "benchmarks.measuring.score_floor")
    score = (*RECSPARSE, "score", model, "--candidates")
    lists = ("-k", str(K), *quiet)
    return {
        FLOOR: (*floor, random, vectors, str(folder / "floor.parquet")),
        "score, random order": (*score, random, *quiet, str(folder / "scores")),
        "score, by user": (*score, by_user, *quiet, str(folder / "scores-by-user")),
        AGAIN: (*implicit, str(folder / "again.parquet"), str(K), "yes"),
        STORED: (*implicit, str(folder / "stored.parquet"), str(K), "no"),
        "recommend, folding in": (
            *RECSPARSE,
            "recommend",
            f"{model}-without-vectors",
            *lists,
            str(folder / "again"),
        ),
        "recommend, stored vectors": (
            *RECSPARSE,
            "recommend",
            model,
            *lists,
            str(folder / "lists"),
        ),
    }


def table_rows(rounds: Sequence[Mapping[str, Run]]) -> list[dict[str, object]]:
    """Return the table of what was measured.

    Args:
        rounds: What each command took, by its name.

    Returns:
        One row a command.
    """
    rows: list[dict[str, object]] = []
    for name in rounds[0]:
        row: dict[str, object] = {
            "job": name,
            "CPU s": median(each[name].cpu_seconds for each in rounds),
            "s": median(each[name].seconds for each in rounds),
            "peak MB": median(each[name].peak_mb for each in rounds),
        }
        for rival in (FLOOR, AGAIN, STORED):
            ratios = [each[name].cpu_seconds / each[rival].cpu_seconds for each in rounds]
            compared = rival in RIVALS.get(name, ())
            row[f"CPU ÷ {rival}"] = f"{median(ratios):.2f}" if compared else ""
        rows.append(row)
    return rows


if __name__ == "__main__":
    typer.run(main)
