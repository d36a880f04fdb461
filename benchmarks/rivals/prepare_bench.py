"""Bench: `recsparse prepare` and its rivals in turn, each in fresh processes, on written logs."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import typer

from benchmarks.measuring.measured_process import Run, run_measured
from benchmarks.measuring.prepare_report import Rounds
from benchmarks.measuring.synthetic_rows import Form, write_log
from benchmarks.rivals.prepare_peers import ATOMIC_NAME, PEERS

PEERS_PYTHON = Path(__file__).resolve().parents[2] / ".venv-data-peers" / "bin" / "python"

Job = Callable[[], Run]


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
        """Write the log as RecBole reads it."""
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
