"""A process that works off trials of a search which others share, started by `workers`.

It reads what to do as a line of JSON from its standard input, tells of each trial in a line of JSON
on its standard output, and ends at once where its input ends: where whoever started it is gone.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from recsparse.config.plugins import import_named
from recsparse.config.toml_reader import parse_config
from recsparse.config.trial_settings import checked_space
from recsparse.errors import RecsparseError
from recsparse.reporting.progress import SILENT
from recsparse.stages.data import load_data
from recsparse.stages.rank_part import part_to_rank
from recsparse.stages.tuning.search import search
from recsparse.stages.tuning.study import StoredTrials
from recsparse.stages.tuning.trial_fits import TrialFits
from recsparse.stages.tuning.trials import Plan, Trial, TrialRecord

# The exit status of one that can no longer be read.
_ORPHANED = 3


class _Told:
    """Tells of trials in lines of JSON."""

    def __init__(self, lines: TextIO) -> None:
        self.lines = lines

    def begins(self, trial: Trial) -> None:
        self.say(begins=trial.number, settings=trial.settings)

    def ends(self, record: TrialRecord) -> None:
        self.say(ends=record.number)

    def say(self, **values: Any) -> None:
        try:
            print(json.dumps(values, default=str), file=self.lines, flush=True)
        except OSError:
            os._exit(_ORPHANED)


def work(spec: dict[str, Any], told: _Told) -> None:
    """Work off trials until nothing is left or the time is over.

    Args:
        spec: What `workers` wrote.
        told: Tells of them.
    """
    for name in spec["modules"]:
        import_named(name, "a model, loss or metric of the search")
    config = parse_config(spec["config"])
    plan = Plan.of(config, checked_space(config, spec["space"]))
    data = load_data(spec["dataset"], SILENT)
    fits = TrialFits(data, part_to_rank(data, "validation"), config)
    trials = StoredTrials(plan, Path(spec["folder"]), spec["job"])
    search(trials, fits, spec["seconds"], told, lambda: None)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(_ORPHANED)


def main() -> None:
    """Do what standard input says."""
    # Whoever started it ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints is no line of ours.
    told = _Told(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    spec = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        work(spec, told)
    except RecsparseError as error:
        told.say(error=str(error))
    told.lines.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
