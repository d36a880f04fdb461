"""The `recsparse` command.

What it is made of is imported once signals are looked after: on a busy machine that takes seconds.
"""

import os
from importlib import import_module
from typing import Any

from recsparse.cli.interrupt import ending_on_signals
from recsparse.cli.loading import collect_no_garbage


def run() -> None:
    """Run the command line."""
    collect_no_garbage()
    # Read where torch is loaded. Threads that spin while they wait take the cores from those that
    # are waited for, wherever other jobs share the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with ending_on_signals(for_good=True):
        from recsparse.cli.exit import exit_on_error

        exit_on_error(lambda: import_module("recsparse.cli.commands").app())


def __getattr__(name: str) -> Any:
    if name == "app":
        return import_module("recsparse.cli.commands").app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
