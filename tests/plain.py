"""Runs checks in a Python of its own: without the hook that checks shapes, with chosen settings.

`torch.compile` and `torch.export` cannot look through that hook, and the number of threads and the
compiled kernels are settled once a process.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

_MARK = "outcomes of the checks: "


def failures(module, **environment):
    """Call every function `check_…` of a module in one new process; return the traces of errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.plain", module],
        cwd=Path(__file__).resolve().parents[1],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    last = done.stdout.rsplit(_MARK, 1)
    assert len(last) == 2, done.stdout + done.stderr
    outcomes = json.loads(last[1])
    assert outcomes, f"there is no check in {module}"
    return "\n".join(trace for trace in outcomes.values() if trace)


def _main(module):
    outcomes = {}
    for name, check in list(vars(importlib.import_module(module)).items()):
        if name.startswith("check_"):
            try:
                check()
                outcomes[name] = ""
            except Exception:
                outcomes[name] = f"{name}:\n{traceback.format_exc()}"
    sys.stdout.write(_MARK + json.dumps(outcomes))


if __name__ == "__main__":
    _main(sys.argv[1])
