"""Runs within a run, made when what they are of has ended."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlflow.tracking import MlflowClient
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from recsparse.tracking.contact import patience
from recsparse.tracking.delivery import ANSWER_RETRIES, ANSWER_SECONDS
from recsparse.tracking.root_cause import root_cause
from recsparse.tracking.run import Run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChildRun:
    """What a run within a run is to hold.

    Attributes:
        name: Of the run.
        status: How it ended, as MLflow calls it.
        started: When.
        ended: When.
        params: Settings, nested ones in mappings.
        metrics: Figures of the whole.
        steps: Figures by their step.
        tags: Texts by their names.
    """

    name: str
    status: str
    started: datetime
    ended: datetime
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def record_child(parent: Run, child: ChildRun) -> str | None:
    """Make a run within a run that is open.

    Args:
        parent: The run.
        child: What it is to hold.

    Returns:
        Its id; None where the store does not answer, of which a warning tells.
    """
    client = MlflowClient()
    tags = resolve_tags({**child.tags, MLFLOW_PARENT_RUN_ID: parent.run_id})
    try:
        with patience(ANSWER_SECONDS, ANSWER_RETRIES):
            experiment = client.get_run(parent.run_id).info.experiment_id
            created = client.create_run(experiment, _milliseconds(child.started), tags, child.name)
    except Exception as error:
        # A store may fail in any way that its plug-ins have; the work goes on.
        logger.warning("%s is not recorded in MLflow: %s", child.name, root_cause(error))
        return None
    run = Run(str(created.info.run_id), parent.uri, parent.outbox)
    run.log_params(child.params)
    run.log_metrics(child.metrics)
    for step, figures in child.steps.items():
        run.log_metrics(figures, step)
    run.end(child.status, _milliseconds(child.ended))
    return run.run_id


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000)
