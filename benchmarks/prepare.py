"""How fast and how lean `recsparse prepare` is, beside DuckDB alone, RecBole and RecTools.

`python -m benchmarks.prepare [--rows 20000000] [--files 8] [--rounds 3] [--out FILE]`

Each contender runs in a fresh process, the processes take turns, seconds are medians and peaks the
highest of all rounds. DuckDB alone does no more than to replace the ids of the same files by
integers and to write the rows again, with the same memory limit and threads; `prepare` checks,
sorts, drops duplicates, splits, fits orders and keeps the log beside it.

The peers live in `.venv-data-peers`, which `make bench-data-peers` builds from
`benchmarks/peers_data.txt`, and load as many rows as they survive. RecBole reads its own kind of
file, whose making is not counted. Peers that are not there are left out.

Numbers depend on whatever else the machine does: compare within one run only.
"""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import duckdb
import pandas as pd
import typer

from benchmarks.measuring.measured_process import Run, machine, run_measured
from benchmarks.measuring.prepare_report import (
    Rounds,
    contenders_table,
    growth_table,
    targets_table,
)
from benchmarks.measuring.synthetic_rows import Form, write_log
from benchmarks.measuring.tables import markdown
from benchmarks.rivals.prepare_peers import ATOMIC_NAME, PEERS

PEERS_PYTHON = Path(__file__).resolve().parents[1] / ".venv-data-peers" / "bin" / "python"

Job = Callable[[], Run]


def run(  # noqa: PLR0913 (one parameter an option)
    rows: Annotated[int, typer.Option(help="Rows of the log.", min=100)] = 20_000_000,
    files: Annotated[int, typer.Option(help="Files of the log.", min=1)] = 8,
    rounds: Annotated[int, typer.Option(help="Turns of each contender.", min=1)] = 3,
    peer_rounds: Annotated[int, typer.Option(help="Turns beside the peers.", min=1)] = 1,
    growth: Annotated[int, typer.Option(help="A log so many times as long; 1: none.")] = 4,
    peers: Annotated[str, typer.Option(help="Rows for the peers, by commas.")] = "5000000,20000000",
    memory: Annotated[str, typer.Option(help="Limit of prepare and of DuckDB.")] = "1GB",
    threads: Annotated[int, typer.Option(help="Of prepare and of DuckDB.", min=1)] = 2,
    folder: Annotated[Path | None, typer.Option(help="Where to write logs and outputs.")] = None,
    out: Annotated[Path | None, typer.Option(help="File of all tables, as markdown.")] = None,
) -> None:
    """Measure and show the tables."""
    parts = ["## Preparing logs\n", machine()]
    with TemporaryDirectory(dir=folder) as work:
        bench = Bench(Path(work), files, rounds, memory, threads)
        small = bench.against_duckdb(rows)
        parts.append(_section(f"{rows:,} rows", contenders_table(small)))
        large = bench.against_duckdb(rows * growth) if growth > 1 else {}
        parts += [
            _section(f"Growth of {name}", growth_table([small[name], each]))
            for name, each in large.items()
        ]
        sizes = [int(size) for size in peers.split(",") if size]
        loaded = [bench.against_peers(size, peer_rounds) for size in sizes]
    for size, found in zip(sizes, loaded, strict=True):
        parts.append(_section(f"Other libraries, {size:,} rows", contenders_table(found)))
    parts.append(_section("What was asked", targets_table(small, large, loaded)))
    text = "\n".join(parts)
    typer.echo(text)
    if out:
        out.write_text(text, encoding="utf-8")


def _section(title: str, table: pd.DataFrame) -> str:
    return f"#{markdown(title, table)}"


class Bench:
    """Runs contenders in turn, on logs that it writes.

    Args:
        folder: For logs and outputs; outputs are removed after each run.
        files: Files of a log.
        rounds: Turns of `prepare` and of DuckDB.
        memory: Limit of prepare and of DuckDB.
        threads: Of prepare and of DuckDB.
    """

    def __init__(self, folder: Path, files: int, rounds: int, memory: str, threads: int) -> None:
        self.folder, self.files, self.rounds = folder, files, rounds
        self.memory, self.threads = memory, threads

    def against_duckdb(self, rows: int, form: Form = Form.PARQUET_TEXT) -> dict[str, Rounds]:
        """Measure `prepare` and DuckDB alone.

        Args:
            rows: Rows of the log.
            form: Of its files and ids.

        Returns:
            Runs by contender.
        """
        logs = self._log(rows, form)
        jobs = {"recsparse": self._prepare(logs), "DuckDB alone": self._duckdb(logs)}
        return _in_turn(rows, jobs, self.rounds)

    def against_peers(self, rows: int, rounds: int) -> dict[str, Rounds]:
        """Measure `prepare` and the loading of those peers that are there.

        Args:
            rows: Rows of the log.
            rounds: Turns of each.

        Returns:
            Runs by contender.
        """
        logs = self._log(rows)
        jobs = {"recsparse": self._prepare(logs)}
        if PEERS_PYTHON.exists():
            atomic = self._atomic(logs)
            for name in PEERS:
                paths = [str(atomic)] if name == "recbole" else logs
                jobs[name] = self._peer(name, "load", paths)
                jobs[f"{name}, with its split"] = self._peer(name, "split", paths)
        else:
            typer.echo(f"{PEERS_PYTHON} is missing: build it with make bench-data-peers", err=True)
        return _in_turn(rows, jobs, rounds)

    def _log(self, rows: int, form: Form = Form.PARQUET_TEXT) -> list[str]:
        folder = self.folder / f"log-{rows}-{form}"
        if folder.exists():
            return sorted(map(str, folder.glob("part-*")))
        typer.echo(f"writing {rows:,} rows, {form}", err=True)
        return [str(path) for path in write_log(folder, rows, self.files, form=form)]

    def _atomic(self, logs: Sequence[str]) -> Path:
        """Write the log as RecBole wants it."""
        folder = Path(logs[0]).parent / "recbole"
        (folder / ATOMIC_NAME).mkdir(parents=True, exist_ok=True)
        rows = duckdb.read_parquet(list(logs)).project(
            'user_id AS "user_id:token", item_id AS "item_id:token", rating AS "rating:float", '
            'timestamp AS "timestamp:float"'
        )
        rows.write_csv(str(folder / ATOMIC_NAME / f"{ATOMIC_NAME}.inter"), sep="\t", header=True)
        return folder

    def _prepare(self, logs: Sequence[str]) -> Job:
        def job() -> Run:
            out = self.folder / "dataset"
            limits = ["--memory", self.memory, "--threads", str(self.threads)]
            words = [sys.executable, "-m", "recsparse", "prepare", *logs, "--out", str(out)]
            found = run_measured([*words, *limits, "--json"])
            shutil.rmtree(out, ignore_errors=True)
            return found

        return job

    def _duckdb(self, logs: Sequence[str]) -> Job:
        def job() -> Run:
            out = self.folder / "mapped.parquet"
            module = "benchmarks.rivals.prepare_duckdb"
            words = [sys.executable, "-m", module, str(out), self.memory]
            found = run_measured([*words, str(self.threads), *logs])
            out.unlink(missing_ok=True)
            return found

        return job

    def _peer(self, name: str, split: str, paths: Sequence[str]) -> Job:
        return lambda: run_measured(
            [str(PEERS_PYTHON), "-m", "benchmarks.rivals.prepare_peers", name, split, *paths]
        )


def _in_turn(rows: int, jobs: Mapping[str, Job], rounds: int) -> dict[str, Rounds]:
    found = {name: Rounds(rows) for name in jobs}
    for number in range(rounds):
        for name, job in jobs.items():
            typer.echo(f"{rows:,} rows, round {number + 1}: {name}", err=True)
            found[name].runs.append(job())
    return found


if __name__ == "__main__":
    typer.run(run)
