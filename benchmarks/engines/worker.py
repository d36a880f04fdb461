"""A process that runs one engine: reads orders on its standard input, one JSON object a line.

The first line sets the problem up, and each further one names what to do; each is answered with one
line. An engine that cannot do the problem answers with the reason and ends.
"""

import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.engines.cases import SMALL
from benchmarks.engines.problem import (
    Engine,
    Problem,
    draw_problem,
    milliseconds,
    peak_growth,
    resident_peak,
)

PACKAGES = {"spconv": "spconv", "open3d": "open3d-cpu", "ocnn": "ocnn", "recsparse": "recsparse"}


def main() -> None:
    """Set an engine up and obey until the orders end."""
    # Libraries print to standard output, which would garble the answers: theirs goes to the errors.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    # Where memory runs out, the system is to end a worker and nothing else (man 5 proc).
    oom = Path("/proc/self/oom_score_adj")
    if oom.exists():
        oom.write_text("1000")

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    setup = json.loads(sys.stdin.readline())
    torch.set_num_threads(setup["threads"])
    try:
        worker = Worker(setup)
        answer(version=_version(setup["engine"]))
        for line in sys.stdin:
            order = json.loads(line)
            answer(**getattr(worker, order.pop("do"))(**order))
    except (ImportError, KeyError, OSError, ValueError, RuntimeError) as error:
        answer(skip=f"{type(error).__name__}: {error}".splitlines()[0])


class Worker:
    """One engine with one problem.

    Args:
        setup: `engine`, `coords` (an .npy file), `shape`, `channels`, `pairs` and `dtype`.
    """

    def __init__(self, setup: dict[str, Any]) -> None:
        self.make = _engine(setup["engine"])
        self.dtype = setup["dtype"]
        self._warm_up(len(setup["shape"]))
        self.problem = draw_problem(
            np.load(setup["coords"]),
            tuple(setup["shape"]),
            setup["channels"],
            setup["pairs"],
            self.dtype,
        )
        self.engine: Engine | None = None

    def first_step(self) -> dict[str, float]:
        """Set the engine up and run its first step, with what memory that takes."""

        def action() -> None:
            self.engine = self.make(self.problem)
            self.engine.step()

        return {"peak_mb": peak_growth(action), "resident_mb": resident_peak()}

    def step(self, seconds: float) -> dict[str, list[float]]:
        """Time forward and backward."""
        return {"ms": milliseconds(self._ready().step, seconds)}

    def build_map(self, seconds: float) -> dict[str, list[float]]:
        """Time the map; nothing where there is none."""
        engine = self._ready()
        return {"ms": milliseconds(engine.build_map, seconds) if engine.builds_map else []}

    def unsorted_map(self, seconds: float) -> dict[str, list[float]]:
        """Time the map of cells in random order; nothing where the order makes no difference."""
        build = self._ready().unsorted_map()
        return {"ms": milliseconds(build, seconds) if build else []}

    def save_results(self, rows: list[int], path: str) -> dict[str, str]:
        """Write some rows of output and input gradient, and the weight's gradient."""
        out, grad_feats, grad_weight = self._ready().results()
        np.savez(
            path,
            out=out[rows].double().numpy(),
            grad_feats=grad_feats[rows].double().numpy(),
            grad_weight=grad_weight.double().numpy(),
        )
        return {"path": path}

    def _ready(self) -> Engine:
        if self.engine is None:
            raise RuntimeError("first_step must come before anything is timed")
        return self.engine

    def _warm_up(self, axes: int) -> None:
        """Run a small problem, so that what libraries load at first use is no part of a peak."""
        cells = next((cells for cells in SMALL if len(cells.shape) == axes), SMALL[0])
        engine = self.make(_small_problem(cells.coords(), cells.shape, self.dtype))
        engine.step()
        engine.build_map()


def _small_problem(coords: Any, shape: tuple[int, ...], dtype: str) -> Problem:
    return draw_problem(coords, shape, 16, len(coords), dtype)


def _engine(name: str) -> Callable[[Problem], Engine]:
    # Peers and the package live in different environments: neither module loads in the other's.
    room = "peers" if name in ("spconv", "open3d", "ocnn") else "engines"
    module = importlib.import_module(f"benchmarks.engines.{room}")
    found: Callable[[Problem], Engine] = getattr(module, room.upper())[name]
    return found


def _version(engine: str) -> str:
    if engine not in PACKAGES:
        return f"torch {torch.__version__}"
    return f"{PACKAGES[engine]} {importlib.metadata.version(PACKAGES[engine])}"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
