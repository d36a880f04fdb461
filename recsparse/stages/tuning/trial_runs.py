"""A search in MLflow: its run, and one for each trial within it."""

from datetime import timedelta

from recsparse.config.config import Config
from recsparse.stages.tuning.trial_fits import Figure
from recsparse.stages.tuning.trials import TrialRecord, Trials
from recsparse.tracking.child_run import ChildRun, record_child
from recsparse.tracking.run import Run

_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


class TrialRuns:
    """Makes a run of each trial that ended; what the store does not take is tried again later.

    Args:
        run: That of the search.
        trials: They keep which trials have a run.
        config: Names the kind of the model.
        figure: By what the search chooses.
    """

    def __init__(self, run: Run, trials: Trials, config: Config, figure: Figure) -> None:
        self.run, self.trials, self.figure = run, trials, figure
        self.kind = config.model.kind
        self._recorded = set(trials.runs())
        self._answers = True

    def record(self, last: bool = False) -> None:
        """Make the runs that are missing.

        Args:
            last: Ask the store though it did not answer before.
        """
        self._answers = self._answers or last
        for record in self.trials.records():
            if not self._answers:
                return
            if record.number in self._recorded:
                continue
            run_id = record_child(self.run, self._child(record))
            self._answers = run_id is not None
            if run_id is not None:
                self._recorded.add(record.number)
                self.trials.set_run(record.number, run_id)

    def _child(self, record: TrialRecord) -> ChildRun:
        name, figure = self.figure.name, self.figure
        is_known = record.state == "complete"
        found = {f"validation_{name}": figure.of_quality(record.quality)} if is_known else {}
        tags = {"state": record.state, "trial": str(record.number + 1)}
        return ChildRun(
            name=f"trial {record.number + 1}",
            status=_STATUS[record.state],
            started=record.ended - timedelta(seconds=record.seconds),
            ended=record.ended,
            params={"model": {"kind": self.kind, **record.settings}},
            metrics={**found, "seconds": record.seconds},
            steps={epoch: {figure.of_epochs: each} for epoch, each in record.epochs.items()},
            tags={**tags, **({"reason": record.reason} if record.reason else {})},
        )
