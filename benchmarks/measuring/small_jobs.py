"""Jobs that are measured from their start to their end, and the imports that they cannot spare."""

import sys
from collections.abc import Sequence

from benchmarks.measuring.measured_process import Run, run_measured
from benchmarks.measuring.start_steps import LIBRARIES

BASE = "the libraries alone"
IMPORTS = f"import {', '.join(LIBRARIES)}"
BARE_IMPORTS = (sys.executable, "-c", IMPORTS)
RECSPARSE = (sys.executable, "-m", "recsparse")


def done(command: Sequence[str]) -> Run:
    """Run a command that must end well.

    Args:
        command: Program and arguments.

    Returns:
        What it took.

    Raises:
        RuntimeError: If it fails.
    """
    run = run_measured(command)
    if run.failed:
        raise RuntimeError(f"{' '.join(command)} must end well, but {run.output}")
    return run
