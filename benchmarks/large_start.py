"""What a batch job of 1,000 users takes where the model knows a million, against bare imports.

`python -m benchmarks.large_start [--users 1000000] [--rounds 3] [--out FILE]`

The model is one of iALS that nobody trained: 128 random factors of 20,000 items, and users of 30
rows each. Then these take turns, each in a process of its own: the import of the libraries alone,
`recsparse score` of ten items of each of 1,000 users, `recsparse recommend` for these, and the
latter with `--history` of one user. Seconds are those of the processor, on one thread. Memory is
anonymous, which is what a process has for itself, as the system tells every 50 ms. Figures are
medians; ratios are those of one round, to the libraries' import of the same round.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
import typer
from scipy.sparse import csr_matrix

from benchmarks.measuring.measured_process import Run
from benchmarks.measuring.small_jobs import BARE_IMPORTS, BASE, RECSPARSE, done
from benchmarks.measuring.turns import Out, Rounds, show_rows
from recsparse.config.linear_models import IALSConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.models.linear.ials import IALS
from recsparse.scoring.model_folder import save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory

ROWS_A_USER, NUM_ITEMS, FACTORS, WANTED = 30, 20_000, 128, 1_000
Users = Annotated[int, typer.Option(help="Users whom the model knows.", min=WANTED)]


def main(users: Users = 1_000_000, rounds: Rounds = 3, out: Out = None) -> None:
    """Print one row a command.

    Args:
        users: Users whom the model knows.
        rounds: Turns of each command.
        out: A file for the table as well.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        save_model(made_model(users), model)
        size = sum(path.stat().st_size for path in model.iterdir())
        named = commands(Path(folder), users)
        runs = [{name: done(command) for name, command in named.items()} for _ in range(rounds)]
    title = f"Jobs of {WANTED:,} of {users:,} users, a model folder of {size / 1e6:,.0f} MB"
    show_rows(title, table_rows(runs), out)


def made_model(num_users: int) -> TrainedModel:
    """Make a model without a training.

    Args:
        num_users: Users whom it knows.

    Returns:
        A model of iALS; the id of the user at place n is 3 n.
    """
    rng = np.random.default_rng(0)
    shape = num_users, ROWS_A_USER
    # Rising in each row, none twice.
    item = np.sort(rng.integers(0, NUM_ITEMS - ROWS_A_USER + 1, shape, dtype=np.int32), axis=1)
    item += np.arange(ROWS_A_USER, dtype=np.int32)
    row_ptr = np.arange(num_users + 1) * ROWS_A_USER
    history, times = (
        csr_matrix((cells, item.ravel(), row_ptr), shape=(num_users, NUM_ITEMS))
        for cells in (
            np.ones(item.size, dtype=np.float32),
            rng.integers(1_600_000_000, 1_700_000_000, item.size),
        )
    )
    factors = rng.normal(0, 0.1, (NUM_ITEMS, FACTORS)).astype(np.float32)
    weight = torch.tensor(0.1, dtype=torch.float64)
    state = {"item_factors": torch.from_numpy(factors), "unobserved_weight": weight}
    return TrainedModel(
        IALS.from_state(IALSConfig(factors=FACTORS), state),
        Vocabulary(pa.array(3 * np.arange(num_users))),
        Vocabulary(pa.array(np.arange(NUM_ITEMS))),
        RowsInMemory(history, times),
    )


def commands(folder: Path, num_users: int) -> dict[str, Sequence[str]]:
    """Write what the jobs read, and return what is measured.

    Args:
        folder: With the model folder `model`.
        num_users: Users whom the model knows.

    Returns:
        Program and arguments by name, the import of the libraries first.
    """
    rng = np.random.default_rng(1)
    wanted = 3 * rng.choice(num_users, WANTED, replace=False)
    pairs = np.repeat(wanted, 10), rng.integers(0, NUM_ITEMS, 10 * WANTED)
    one = {"user_id": wanted[:1].repeat(5), "item_id": np.arange(5)}
    tables = {
        "pairs": dict(zip(("user_id", "item_id"), pairs, strict=True)),
        "users": {"user_id": wanted},
        "history": {**one, "timestamp": np.arange(1_700_000_000, 1_700_000_005)},
    }
    for name, columns in tables.items():
        pd.DataFrame(columns).to_parquet(folder / f"{name}.parquet", index=False)
    files = {name: str(folder / f"{name}.parquet") for name in (*tables, "scores", "lists")}
    model, quiet = str(folder / "model"), ("--quiet", "--overwrite")
    recommend = *RECSPARSE, "recommend", model, "--users", files["users"], "--out", files["lists"]
    scored = "--candidates", files["pairs"], "--out", files["scores"]
    return {
        BASE: BARE_IMPORTS,
        "score": (*RECSPARSE, "score", model, *scored, *quiet),
        "recommend": (*recommend, *quiet),
        "recommend --history": (*recommend, "--history", files["history"], *quiet),
    }


def table_rows(rounds: Sequence[dict[str, Run]]) -> list[dict[str, object]]:
    """Return the table of what was measured.

    Args:
        rounds: What each command took, by its name.

    Returns:
        One row a command.
    """
    return [
        {
            "command": name,
            "CPU s": median(each[name].cpu_seconds for each in rounds),
            "÷ libraries": median(
                each[name].cpu_seconds / each[BASE].cpu_seconds for each in rounds
            ),
            "anonymous MB": median(each[name].anonymous_mb for each in rounds),
        }
        for name in rounds[0]
    ]


if __name__ == "__main__":
    typer.run(main)
