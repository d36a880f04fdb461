"""What each step from the start to the scores of a small job takes, in one process.

`python -m benchmarks.measuring.start_steps MODEL CANDIDATES OUT` prints it as JSON. As under the
`recsparse` command, no garbage is looked for meanwhile. Linux only.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

LIBRARIES = (
    "torch", "numpy", "pyarrow.parquet", "scipy.sparse", "pydantic", "typer", "rich", "safetensors",
)  # fmt: skip
_OF_PYDANTIC = ("pydantic.main", "pydantic.functional_validators", "pydantic.types")
_OURS = ("recsparse.cli.commands", "recsparse.config.toml_reader", "recsparse.stages.score")


def steps(model: str, candidates: str, out: str) -> Mapping[str, Callable[[], object]]:
    """Return the steps of a job that scores, in their order.

    Args:
        model: A model folder.
        candidates: A Parquet file.
        out: Where the scores go.

    Returns:
        Functions by what they are called in the table.
    """
    return {
        "the libraries alone": lambda: _imported(*LIBRARIES),
        "pandas, which pyarrow imports": lambda: import_module("pyarrow").array([0]),
        "pyarrow.dataset": lambda: _imported("pyarrow.dataset"),
        "models of pydantic": lambda: _imported(*_OF_PYDANTIC),
        "recsparse": lambda: _imported(*_OURS),
        "reading the model": lambda: import_module("recsparse.stages.load").load(model),
        "scoring": lambda: import_module("recsparse.stages.score").score(model, candidates, out),
    }


def taken(steps: Mapping[str, Callable[[], object]]) -> list[dict[str, object]]:
    """Take some steps, and return what each of them took.

    Args:
        steps: Functions by name.

    Returns:
        A row per step: CPU seconds of the process, and by how many MB its resident memory grew.
    """
    rows: list[dict[str, object]] = []
    for name, step in steps.items():
        seconds, memory = time.process_time(), _resident_mb()
        step()
        seconds, memory = time.process_time() - seconds, _resident_mb() - memory
        rows.append({"step": name, "CPU s": seconds, "MB": memory})
    return rows


def _imported(*names: str) -> None:
    for name in names:
        import_module(name)


def _resident_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(kilobytes) * 1024 / 1e6


if __name__ == "__main__":
    gc.disable()
    print(json.dumps(taken(steps(*sys.argv[1:]))))
    gc.freeze()  # so that the process ends without looking through all of it
