"""Trials drawn by Optuna and kept in its journal, which processes share: its only import."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from typing_extensions import override

from recsparse.config.search_space import Range
from recsparse.errors import MissingPackageError, OutputError, reason
from recsparse.stages.tuning.journal import JournalLock, end_last_line
from recsparse.stages.tuning.sampler import DrawnOnce, by_label
from recsparse.stages.tuning.trials import Plan, State, Trial, TrialRecord, Trials

try:
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState
except ImportError:
    optuna = None  # type: ignore[assignment]
    BaseSampler = object  # type: ignore[assignment, misc]

JOURNAL = "trials.journal"
TRIALS_PICTURE, SETTINGS_PICTURE = "trials.png", "settings.png"
# Files that a search keeps in its folder, pictures included.
OWN_FILES = (JOURNAL, f"{JOURNAL}.lock", "ask.lock", TRIALS_PICTURE, SETTINGS_PICTURE)
_STUDY, _JOB, _SEARCH_RUN, _RUN = "search", "job", "search run", "run"
_NUMBER, _REASON, _SECONDS = "number", "reason", "seconds"
# Importances of fewer say nothing.
_FEWEST_TRIALS = 8


def has_optuna() -> bool:
    """Say whether Optuna is installed."""
    return optuna is not None


def require_optuna(what: str) -> None:
    """Raise an error where Optuna is not installed.

    Args:
        what: What needs it.

    Raises:
        MissingPackageError: If it is not.
    """
    if optuna is None:
        raise MissingPackageError(
            f"{what} needs Optuna, but it is not installed; install the extra `tune`, or: "
            "pip install 'optuna>=5,<6'; without it a grid of lists works, in one process"
        )


class StoredTrials(Trials):
    """Trials that Optuna draws and keeps.

    What is drawn depends on the seed, the number of the trial and what came out of those before,
    so that a search of one process that was killed goes on as if it had not been.

    Args:
        plan: How to draw.
        folder: Where the journal is; None keeps the trials in memory.
        job: Digest of the search; a journal of another one is refused.

    Raises:
        OutputError: If the journal is of another search, or cannot be read.
    """

    def __init__(self, plan: Plan, folder: Path | None, job: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.plan, self.folder, self.job = plan, folder, job
        self._asking = None if folder is None else FileLock(folder / "ask.lock")
        self._sampler = _Sampler(plan)
        self._running: dict[int, Any] = {}
        try:
            self._storage = _storage(folder)
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=_STUDY,
                direction="maximize",
                load_if_exists=True,
                sampler=self._sampler,
                pruner=_pruner(plan),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{folder} must hold the trials of a search, but its journal cannot be read: "
                f"{reason(error)}; remove it, or name another --out"
            ) from error
        if self._study.user_attrs.setdefault(_JOB, job) != job:
            raise OutputError(
                f"{folder} must hold trials of this search, but holds those of another dataset, "
                "model or search space; name another --out, or set --overwrite to begin anew"
            )
        self._study.set_user_attr(_JOB, job)

    def resume(self) -> int:
        """Put back what processes were at that were killed; nobody else may be at work.

        Returns:
            How many trials have ended before.
        """
        for trial in self._trials():
            if trial.state == TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
                if trial.params.keys() == self.plan.space.keys():
                    self._study.enqueue_trial(trial.params, user_attrs=_kept(trial))
        return len(self.records())

    @override
    def next(self) -> Trial | None:
        if self._asking is None:
            return self._ask()
        with self._asking:
            return self._ask()

    @override
    def report(self, trial: Trial, epoch: int, quality: float) -> bool:
        running = self._running[trial.number]
        running.report(quality, epoch)
        return bool(running.should_prune())

    @override
    def finish(self, record: TrialRecord) -> None:
        running = self._running.pop(record.number)
        running.set_user_attr(_SECONDS, record.seconds)
        if record.state != "complete":
            running.set_user_attr(_REASON, record.reason)
        # A trial that ended in its first epoch has no figure to be pruned by.
        is_failed = record.state == "failed" or math.isnan(record.quality)
        state = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(record.state)
        state = TrialState.FAIL if is_failed or state is None else state
        value = record.quality if state == TrialState.COMPLETE else None
        self._study.tell(running, value, state)

    def give_up(self, number: int, why: str) -> None:
        """Keep that a trial failed whose process has ended.

        Args:
            number: Of the trial.
            why: What ended it.
        """
        for trial in self._trials():
            if trial.user_attrs.get(_NUMBER) == number and trial.state == TrialState.RUNNING:
                self._storage.set_trial_user_attr(trial._trial_id, _REASON, why)
                self._study.tell(trial.number, state=TrialState.FAIL)

    @override
    def records(self) -> list[TrialRecord]:
        ended = [self._record(trial) for trial in self._trials() if _is_ended(trial)]
        return sorted(ended, key=lambda record: record.number)

    @override
    def runs(self) -> Mapping[int, str]:
        kept = self._study.user_attrs.items()
        return {int(name.split()[1]): run for name, run in kept if name.startswith(f"{_RUN} ")}

    @override
    def set_run(self, number: int, run_id: str) -> None:
        self._study.set_user_attr(f"{_RUN} {number}", run_id)

    @property
    def search_run(self) -> str | None:
        """The MLflow run of a search that was interrupted; None of one that came to its end."""
        return self._study.user_attrs.get(_SEARCH_RUN)

    def set_search_run(self, run_id: str | None) -> None:
        """Keep the MLflow run of the search.

        Args:
            run_id: The run; None when the search has come to its end.
        """
        self._study.set_user_attr(_SEARCH_RUN, run_id)

    @override
    def importances(self) -> dict[str, float]:
        # Those of PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255).
        complete = [record for record in self.records() if record.state == "complete"]
        if len(complete) < _FEWEST_TRIALS or len({each.quality for each in complete}) < 2:
            return {}
        return dict(optuna.importance.get_param_importances(self._study))

    def _ask(self) -> Trial | None:
        trials = self._trials()
        tried = [trial for trial in trials if _counts(trial)]
        has_waiting = any(trial.state == TrialState.WAITING for trial in trials)
        if self.plan.trials is not None and len(tried) >= self.plan.trials:
            return None
        if not has_waiting and self._sampler.is_exhausted(tried):
            return None
        self._sampler.number = _free_number(trials)
        drawn = self._study.ask(self._sampler.distributions)
        number = drawn.user_attrs.get(_NUMBER, self._sampler.number)
        drawn.set_user_attr(_NUMBER, number)
        self._running[number] = drawn
        return Trial(number, self._sampler.settings(drawn.params))

    def _trials(self) -> list[Any]:
        return self._study.get_trials(deepcopy=False)

    def _record(self, trial: Any) -> TrialRecord:
        states: dict[Any, State] = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
        return TrialRecord(
            trial.user_attrs[_NUMBER],
            self._sampler.settings(trial.params),
            states.get(trial.state, "failed"),
            math.nan if trial.value is None else trial.value,
            trial.user_attrs.get(_SECONDS, 0.0),
            trial.user_attrs.get(_REASON, ""),
            trial.datetime_complete.astimezone(),
            dict(trial.intermediate_values),
        )


class _Sampler(DrawnOnce, BaseSampler):
    """Draws what the plan says.

    Args:
        plan: How to draw.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan, {key: _distribution(tried) for key, tried in plan.space.items()})

    @override
    def inner(self, seed: int) -> Any:
        if self.plan.drawing == "tpe":
            return optuna.samplers.TPESampler(seed=seed, multivariate=True)
        return optuna.samplers.RandomSampler(seed=seed)

    @override
    def counts(self, trial: Any) -> bool:
        return _counts(trial)


def _storage(folder: Path | None) -> Any:
    if folder is None:
        return optuna.storages.InMemoryStorage()
    journal = folder / JOURNAL
    lock: Any = JournalLock(folder / f"{JOURNAL}.lock")
    lock.acquire()
    try:
        end_last_line(journal)
    finally:
        lock.release()
    backend = JournalFileBackend(str(journal), lock_obj=lock)
    return optuna.storages.JournalStorage(backend)


def _pruner(plan: Plan) -> Any:
    if plan.prune_after is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_warmup_steps=plan.prune_after)


def _distribution(tried: Sequence[Any] | Range) -> Any:
    if not isinstance(tried, Range):
        return optuna.distributions.CategoricalDistribution([*by_label(tried)])
    if tried.integer:
        return optuna.distributions.IntDistribution(int(tried.low), int(tried.high), log=tried.log)
    return optuna.distributions.FloatDistribution(tried.low, tried.high, log=tried.log)


def _is_ended(trial: Any) -> bool:
    return bool(trial.state.is_finished()) and _counts(trial)


def _counts(trial: Any) -> bool:
    # Those that were interrupted have failed without a reason; they are done again.
    was_interrupted = trial.state == TrialState.FAIL and _REASON not in trial.user_attrs
    return trial.state != TrialState.WAITING and not was_interrupted


def _kept(trial: Any) -> dict[str, Any]:
    return {name: trial.user_attrs[name] for name in (_NUMBER,) if name in trial.user_attrs}


def _free_number(trials: Sequence[Any]) -> int:
    used = {
        trial.user_attrs.get(_NUMBER)
        for trial in trials
        if _counts(trial) or trial.state == TrialState.WAITING
    }
    return next(number for number in range(len(trials) + 1) if number not in used)
