"""What threads that wait cost a training: asleep or spinning, next to one thread alone.

`python -m benchmarks.waiting_threads [--kinds timeline,sparse_grid] [--rounds 3] [--busy 0]
[--out FILE]`

A turn is one epoch on random rows, after a short one that is not timed. OpenMP reads
`OMP_WAIT_POLICY` as it is loaded, so each turn has a process of its own, which ends with it:
threads that spin would otherwise slow the next turn. The ways take turns. Seconds are medians,
ratios medians of those of each round. `--busy` starts processes that keep a core busy each, as
other jobs of a shared machine do.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.measuring.one_epoch import fitted, random_rows
from benchmarks.measuring.turns import Out, Rounds, show_rows

_ROOT = Path(__file__).resolve().parents[1]
_TURN = """
import sys
from benchmarks.waiting_threads import turn
turn(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""
_FIRST_ROWS = 20


@dataclass(frozen=True)
class Way:
    """How threads of torch wait.

    Attributes:
        name: What the table calls it.
        threads: How many there are.
        policy: The value of `OMP_WAIT_POLICY`; None where it is not set.
    """

    name: str
    threads: int
    policy: str | None


ALONE = Way("1", 1, None)
WAYS = (
    ALONE,
    Way("2, passive", 2, "passive"),
    Way("2, not set", 2, None),
    Way("2, active", 2, "active"),
)


@dataclass(frozen=True)
class Taken:
    """What a turn took.

    Attributes:
        cpu_seconds: Of the processor, all threads together.
        seconds: Of the clock.
    """

    cpu_seconds: float
    seconds: float


def main(
    kinds: Annotated[str, typer.Option(help="Models, by commas.")] = "timeline,sparse_grid",
    users: Annotated[int, typer.Option(help="Rows of an epoch.", min=1)] = 256,
    items: Annotated[int, typer.Option(help="Size of the catalogue.", min=1)] = 3000,
    rounds: Rounds = 3,
    busy: Annotated[
        int, typer.Option(help="Processes that keep a core busy meanwhile.", min=0)
    ] = 0,
    out: Out = None,
) -> None:
    """Measure all ways and show one row per model and way."""
    with busy_processes(busy):
        rows = [row for kind in kinds.split(",") for row in measure(kind, rounds, users, items)]
    show_rows("One epoch, by the threads and how they wait", rows, out)


@contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Keep processes busy until the end of the context.

    Args:
        number: How many; each would take a core for itself.

    Yields:
        Nothing.
    """
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure(kind: str, rounds: int, users: int, items: int) -> list[dict[str, object]]:
    """Time the ways in turns.

    Args:
        kind: The model.
        rounds: Turns of each way.
        users: Rows of an epoch.
        items: Size of the catalogue.

    Returns:
        One row a way.
    """
    taken: dict[Way, list[Taken]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            taken[way].append(_in_a_process(way, kind, users, items))
    return [_row(kind, way, taken[way], taken[ALONE]) for way in WAYS]


def turn(kind: str, users: int, items: int) -> None:
    """Train in this process and print what it took, as JSON.

    Args:
        kind: The model.
        users: Rows of the epoch.
        items: Size of the catalogue.
    """
    cells, times = random_rows(users, items)
    fitted(kind, cells[:_FIRST_ROWS], times[:_FIRST_ROWS])
    cpu, clock = time.process_time(), time.perf_counter()
    fitted(kind, cells, times)
    taken = Taken(time.process_time() - cpu, time.perf_counter() - clock)
    print(json.dumps(vars(taken)))


def _in_a_process(way: Way, kind: str, users: int, items: int) -> Taken:
    env = {**os.environ, "OMP_NUM_THREADS": str(way.threads)}
    env.pop("OMP_WAIT_POLICY", None)
    if way.policy:
        env["OMP_WAIT_POLICY"] = way.policy
    words = [sys.executable, "-c", _TURN, kind, str(users), str(items)]
    done = subprocess.run(words, cwd=_ROOT, env=env, stdout=subprocess.PIPE, check=True)
    return Taken(**json.loads(done.stdout))


def _row(kind: str, way: Way, taken: Sequence[Taken], alone: Sequence[Taken]) -> dict[str, object]:
    pairs = list(zip(taken, alone, strict=True))
    return {
        "model": kind,
        "threads": way.name,
        "CPU seconds": median(one.cpu_seconds for one in taken),
        "CPU ÷ 1 thread": median(one.cpu_seconds / first.cpu_seconds for one, first in pairs),
        "seconds": median(one.seconds for one in taken),
        "seconds ÷ 1 thread": median(one.seconds / first.seconds for one, first in pairs),
    }


if __name__ == "__main__":
    typer.run(main)
