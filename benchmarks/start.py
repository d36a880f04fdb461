"""What a small batch job takes before it does anything, against the libraries that it cannot spare.

`python -m benchmarks.start [--rounds 5] [--out FILE]`

A model of few users is trained once. Then these take turns, each in a process of its own: the
import of the libraries alone, the same with one array of Arrow (which imports pandas, where it is
installed), `recsparse score`, `recsparse recommend`, `recsparse config`, and `recsparse --help`.
Figures are medians; ratios are those of one round, to the libraries' import of the same round. Run
it where Python may keep the modules that it compiled (not under `PYTHONDONTWRITEBYTECODE`), as it
does for an installed package.

A second table has the steps of one process that scores, with the growth of its memory.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import typer

from benchmarks.measuring.measured_process import Run
from benchmarks.measuring.small_jobs import BARE_IMPORTS, BASE, IMPORTS, RECSPARSE, done
from benchmarks.measuring.tables import markdown
from benchmarks.measuring.turns import Out, Rounds, show_rows
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train

_STEPS = "benchmarks.measuring.start_steps"


def main(rounds: Rounds = 5, out: Out = None) -> None:
    """Print one row a command.

    Args:
        rounds: Turns of each command.
        out: A file for the table as well.
    """
    with tempfile.TemporaryDirectory() as folder:
        named = commands(Path(folder))
        turns = [
            {name: done(command) for name, command in named.items()} for _ in range(rounds + 1)
        ]
        runs = turns[1:]  # in the first one, Python may have compiled our modules
        steps = [_steps(Path(folder)) for _ in range(rounds)]
    show_rows("From start to end of a small job", table_rows(runs), out)
    typer.echo(markdown("Step by step", pd.DataFrame(step_rows(steps))))


def commands(folder: Path) -> dict[str, Sequence[str]]:
    """Train a small model, and return what is measured.

    Args:
        folder: An empty folder.

    Returns:
        Program and arguments by name, the import of the libraries first.
    """
    rng = np.random.default_rng(0)
    log = pd.DataFrame({name: rng.integers(0, 100, 2_000) for name in ("user_id", "item_id")})
    log.to_parquet(folder / "log.parquet", index=False)
    log.head(100).to_parquet(folder / "candidates.parquet", index=False)
    prepare(Sources(logs=folder / "log.parquet"), folder / "data")
    train(folder / "data", folder / "model", load_config(overrides=["model.kind=ease"]))
    model, quiet = str(folder / "model"), ("--quiet", "--overwrite")
    candidates = str(folder / "candidates.parquet")
    scores, lists = (str(folder / f"{name}.parquet") for name in ("scores", "lists"))
    return {
        BASE: BARE_IMPORTS,
        "with one array": (sys.executable, "-c", f"{IMPORTS}; pyarrow.array([0])"),
        "score": (*RECSPARSE, "score", model, "--candidates", candidates, "--out", scores, *quiet),
        "recommend": (*RECSPARSE, "recommend", model, "--out", lists, *quiet),
        "config": (*RECSPARSE, "config"),
        "--help": (*RECSPARSE, "--help"),
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
        row: dict[str, object] = {"command": name}
        for title, figure in (("cpu_seconds", "CPU s"), ("peak_mb", "peak MB")):
            taken = [(getattr(each[name], title), getattr(each[BASE], title)) for each in rounds]
            row[figure] = median(own for own, _ in taken)
            row[f"{figure} ÷ libraries"] = median(own / base for own, base in taken)
        rows.append(row)
    return rows


def step_rows(rounds: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, object]]:
    """Return the medians of what the steps took.

    Args:
        rounds: The rows of each round, the same steps in each.

    Returns:
        One row per step.
    """
    return [
        {"step": of_step[0]["step"]}
        | {title: median(row[title] for row in of_step) for title in ("CPU s", "MB")}
        for of_step in zip(*rounds, strict=True)
    ]


def _steps(folder: Path) -> list[dict[str, Any]]:
    names = [str(folder / name) for name in ("model", "candidates.parquet", "steps.parquet")]
    found: list[dict[str, Any]] = json.loads(done((sys.executable, "-m", _STEPS, *names)).output)
    return found


if __name__ == "__main__":
    typer.run(main)
