"""Processes that share the trials of a search: started, listened to, replaced where one dies."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from recsparse.config.config import Config
from recsparse.config.plugins import OWN_NAME
from recsparse.config.search_space import Range, SearchSpace
from recsparse.errors import InputError
from recsparse.scoring.model_content import plugins_of
from recsparse.stages.tuning.search import OnEnd, Shown, seconds_left
from recsparse.stages.tuning.study import StoredTrials
from recsparse.stages.tuning.trials import Trial

_THREADS = "OMP_NUM_THREADS"
_PATH = "PYTHONPATH"
# How long a process may take to end when it is told to.
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class SharedSearch:
    """What processes need to know to share a search.

    Attributes:
        dataset: The dataset folder on this machine.
        config: The configuration that settings are laid over.
        space: What is tried of each setting.
        folder: Where the trials are kept.
        job: Digest of the search.
    """

    dataset: Path
    config: Config
    space: SearchSpace
    folder: Path
    job: str

    def line(self, seconds: float | None) -> str:
        """Return what a process reads: one line of JSON.

        Args:
            seconds: How long it may work.

        Returns:
            The line, without its end.
        """
        space = {
            key: str(tried) if isinstance(tried, Range) else [*tried]
            for key, tried in self.space.items()
        }
        told = {
            "dataset": str(self.dataset.absolute()),
            "config": self.config.model_dump(mode="json"),
            "space": space,
            "folder": str(self.folder.absolute()),
            "job": self.job,
            "modules": _own_names(self.config, self.space),
            "seconds": seconds,
        }
        return json.dumps(told)


def share(search: SharedSearch, trials: StoredTrials, shown: Shown, on_end: OnEnd) -> None:
    """Let processes work off a search; a trial whose process dies has failed.

    Args:
        search: What they do.
        trials: Of the search.
        shown: Tells of the trials.
        on_end: Called after each.

    Raises:
        InputError: If a process meets bad input outside of its trials.
        RuntimeError: If a process ends before its first trial.
    """
    told: SimpleQueue[_Message] = SimpleQueue()
    tuning = search.config.tuning
    with _started(search, seconds_left(tuning, trials), told) as workers:
        while any(worker.is_working for worker in workers):
            message = told.get()
            if message.values is not None:
                _tell(message, trials, shown, on_end)
                continue
            if _ended(message.worker, trials, on_end):
                message.worker.start(search, seconds_left(tuning, trials), told)


@dataclass
class _Worker:
    """A process, and the trial that it is at."""

    process: "subprocess.Popen[str] | None" = None
    at: int | None = None
    is_working: bool = False
    listener: threading.Thread | None = None

    def start(
        self, search: SharedSearch, seconds: float | None, told: "SimpleQueue[_Message]"
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "recsparse.stages.tuning.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(search.config.tuning.jobs),
        )
        self.is_working, self.at = True, None
        _opened(self.process.stdin).write(f"{search.line(seconds)}\n")
        _opened(self.process.stdin).flush()
        listening = (self.process, told)
        self.listener = threading.Thread(target=self._listen, args=listening, daemon=True)
        self.listener.start()

    def _listen(self, process: "subprocess.Popen[str]", told: "SimpleQueue[_Message]") -> None:
        with _opened(process.stdout) as lines:
            for line in lines:
                told.put(_Message(self, json.loads(line)))
        process.wait()
        _opened(process.stdin).close()
        told.put(_Message(self, None))


@dataclass(frozen=True)
class _Message:
    """What a process says; nothing where it has ended."""

    worker: _Worker
    values: Mapping[str, Any] | None = field(default=None)


@contextmanager
def _started(
    search: SharedSearch, seconds: float | None, told: "SimpleQueue[_Message]"
) -> Iterator[Sequence[_Worker]]:
    workers = [_Worker() for _ in range(search.config.tuning.jobs)]
    try:
        for worker in workers:
            worker.start(search, seconds, told)
        yield workers
    finally:
        for process in filter(None, (worker.process for worker in workers)):
            # The end of its input ends it.
            _opened(process.stdin).close()
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        for listener in filter(None, (worker.listener for worker in workers)):
            listener.join(_GRACE_SECONDS)


def _tell(message: _Message, trials: StoredTrials, shown: Shown, on_end: OnEnd) -> None:
    values = message.values or {}
    if "error" in values:
        raise InputError(values["error"])
    if "begins" in values:
        message.worker.at = values["begins"]
        shown.begins(Trial(values["begins"], values["settings"]))
    if "ends" in values:
        message.worker.at = None
        for record in trials.records():
            if record.number == values["ends"]:
                shown.ends(record)
        on_end()


def _ended(worker: _Worker, trials: StoredTrials, on_end: OnEnd) -> bool:
    # Returns whether another process is to take the place of one that has ended.
    status = worker.process.returncode if worker.process is not None else 0
    worker.is_working = False
    if status == 0:
        return False
    how = f"signal {-status}" if status < 0 else f"status {status}"
    if worker.at is None:
        raise RuntimeError(
            f"a process of the search has ended by {how} before its first trial; what it said is "
            "above"
        )
    trials.give_up(worker.at, f"its process has ended by {how}; is there memory enough?")
    on_end()
    return True


def _opened(stream: Any) -> Any:
    # Of a process that is started with pipes, which its type does not tell.
    return stream


def _environment(jobs: int) -> dict[str, str]:
    threads = max(1, len(os.sched_getaffinity(0)) // jobs)
    paths = os.pathsep.join(filter(None, sys.path))
    return {_THREADS: str(threads), **os.environ, _PATH: paths}


def _own_names(config: Config, space: SearchSpace) -> list[str]:
    # Classes and functions of the caller's own, whose modules a process has to import.
    model, options, losses = config.model, config.evaluation, space.get("loss", ())
    named = [
        *plugins_of(model).values(),
        getattr(model, "loss", None),
        *(getattr(part, "loss", None) for part in getattr(model, "parts", None) or ()),
        *(losses if isinstance(losses, Sequence) else ()),
        *(name.partition("@")[0] for name in (*options.metrics, options.select_by)),
    ]
    return [name for name in named if isinstance(name, str) and OWN_NAME.fullmatch(name)]
