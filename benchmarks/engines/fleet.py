"""One process an engine, asked in turn, so that a busy machine slows all of them alike."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines.cases import Case
from benchmarks.engines.problem import draw_problem
from benchmarks.engines.reference import Pairs, Results, expected_results, find_pairs

ROOT = Path(__file__).resolve().parents[2]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PEER_NAMES = ("spconv", "open3d", "ocnn")
LIMITS = ("limit", "blas_limit")
SECONDS_TO_ANSWER = 600
# What a worker is asked to time, and where the answer goes.
ORDERS = {"step": "step_ms", "build_map": "map_ms", "unsorted_map": "unsorted_ms"}


@dataclass(frozen=True)
class Contender:
    """An engine as it is run.

    Attributes:
        engine: Its name.
        threads: For torch and OpenMP.
        dtype: torch's name of the type of features and weights.
    """

    engine: str
    threads: int
    dtype: str = "float32"


@dataclass
class Measured:
    """What was found of one contender in one case.

    Attributes:
        contender: Who.
        step_ms: Forward and backward with the map kept, each repetition.
        map_ms: The map built cold.
        unsorted_ms: The map of cells in random order, with the sort.
        peak_mb: Growth of the resident memory over setup, map and first step.
        resident_mb: All of the process at its peak.
        error: Largest error, in units of the largest value.
        version: Of the engine.
        skipped: Why there is nothing, or empty.
    """

    contender: Contender
    step_ms: list[float] = field(default_factory=list)
    map_ms: list[float] = field(default_factory=list)
    unsorted_ms: list[float] = field(default_factory=list)
    peak_mb: float = float("nan")
    resident_mb: float = float("nan")
    error: float = float("nan")
    version: str = ""
    skipped: str = ""


class WorkerProcess:
    """A running worker; a context manager that ends it.

    Args:
        contender: What it runs.
        setup: The problem, as `benchmarks.engines.worker` reads it.
    """

    def __init__(self, contender: Contender, setup: dict[str, Any]) -> None:
        self.found = Measured(contender)
        peer = contender.engine in PEER_NAMES
        python = PEERS_PYTHON if peer else Path(sys.executable)
        if not python.exists():
            self.found.skipped = f"{python} is missing: build it with make bench-peers"
            return
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        self.process = subprocess.Popen(
            [str(python), "-m", "benchmarks.engines.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, **_environment(contender)},
        )
        self._send({**setup, **vars(contender)})

    def wait_until_ready(self) -> None:
        """Read the answer to the setup, which all workers work on side by side."""
        self.found.version = self._receive().get("version", "")

    def ask(self, **order: Any) -> dict[str, Any]:
        """Send an order and return the answer; nothing from a worker that ended or ends here."""
        self._send(order)
        return self._receive()

    def _send(self, order: dict[str, Any]) -> None:
        if not self.found.skipped and self.process.stdin:
            try:
                self.process.stdin.write(json.dumps(order) + "\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                self._give_up(f"its process ended: {self._last_error()}")

    def _receive(self) -> dict[str, Any]:
        if self.found.skipped or not self.process.stdout:
            return {}
        if not select.select([self.process.stdout], [], [], SECONDS_TO_ANSWER)[0]:
            self._give_up(f"no answer in {SECONDS_TO_ANSWER} s")
            return {}
        line = self.process.stdout.readline()
        if not line:
            self._give_up(f"its process ended: {self._last_error()}")
            return {}
        answer: dict[str, Any] = json.loads(line)
        self.found.skipped = answer.pop("skip", "")
        return answer

    def _give_up(self, reason: str) -> None:
        self.found.skipped = reason
        self.process.kill()

    def _last_error(self) -> str:
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return "killed, most likely for lack of memory"
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return lines[-1] if lines and code > 0 else f"exit status {code}"

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "process"):
            self.process.communicate()  # the end of its orders ends it
            self.errors.close()


def _environment(contender: Contender) -> dict[str, str]:
    names = {"OMP_NUM_THREADS": str(contender.threads)}
    if contender.engine == "blas_limit":
        names["OPENBLAS_NUM_THREADS"] = "1"
        cpu = Path("/proc/cpuinfo")
        if cpu.exists() and "avx512f" in cpu.read_text():
            # OpenBLAS knows no kernels of its own for the newest processors and takes old ones.
            names["OPENBLAS_CORETYPE"] = "SkylakeX"
    return names


def measure(
    case: Case,
    contenders: Sequence[Contender],
    rounds: int,
    seconds: float = 0.2,
    check: bool = True,
) -> tuple[Pairs, list[Measured]]:
    """Time all contenders in one case, in turn, round after round.

    Args:
        case: What to convolve.
        contenders: Who.
        rounds: How often each is asked.
        seconds: For how long each repeats its work when asked; once at least.
        check: Compare the results with numpy's, which takes memory besides the workers.

    Returns:
        The pairs of the case, and what was measured, in the order of the contenders.
    """
    coords, shape = case.cells.coords(), case.cells.shape
    pairs = find_pairs(coords, shape)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "coords.npy"
        np.save(path, coords)
        setup = {
            "coords": str(path),
            "shape": shape,
            "channels": case.channels,
            "pairs": pairs.number,
        }
        workers = [stack.enter_context(WorkerProcess(one, setup)) for one in contenders]
        for worker in workers:
            worker.wait_until_ready()
        for worker in workers:
            _first_step(worker)
        if check:
            _check(case, pairs, workers, Path(folder))
        for _ in range(rounds):
            for order, name in ORDERS.items():
                for worker in workers:
                    times: list[float] = getattr(worker.found, name)
                    times += worker.ask(do=order, seconds=seconds).get("ms", [])
    return pairs, [worker.found for worker in workers]


def _first_step(worker: WorkerProcess) -> None:
    reply = worker.ask(do="first_step")
    worker.found.peak_mb = reply.get("peak_mb", float("nan"))
    worker.found.resident_mb = reply.get("resident_mb", float("nan"))


def _check(case: Case, pairs: Pairs, workers: Sequence[WorkerProcess], folder: Path) -> None:
    """Compare some rows of each contender's results, and its weight's gradient."""
    coords = case.cells.coords()
    problem = draw_problem(coords, case.cells.shape, case.channels, pairs.number, "float32")
    rows = np.sort(np.random.default_rng(0).permutation(len(coords))[:300])
    expected = expected_results(
        pairs, problem.feats.numpy(), problem.weight.numpy(), problem.grad_out.numpy(), rows
    )
    for number, worker in enumerate(workers):
        if worker.found.contender.engine in LIMITS:
            continue
        path = folder / f"results-{number}.npz"
        if worker.ask(do="save_results", rows=rows.tolist(), path=str(path)):
            worker.found.error = Results(**np.load(path)).error(expected)
