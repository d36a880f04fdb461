"""What a training depends on, in digests: a checkpoint of another one is not resumed from."""

import json
from typing import Any

from scipy.sparse import csr_matrix

from recsparse.digest import digest
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext


def job_of(config: Any, interactions: csr_matrix, context: FitContext) -> dict[str, str]:
    """Return what tells a training from all others.

    Args:
        config: The model's section.
        interactions: Users × items.
        context: What else the fit uses; the device does not count, since a training may resume
            elsewhere.

    Returns:
        A text each for `dataset`, `configuration`, `seed` and `start`.
    """
    start, judged = context.warm_start, context.validation
    training = context.training.model_dump(mode="json", exclude={"device"})
    settings = {"model": config.model_dump(mode="json"), "training": training}
    tables: list[Any] = [interactions, context.times]
    tables += [*_columns(context.item_features), *_columns(context.user_features)]
    if judged is not None:
        tables += [judged.history, judged.times, judged.targets, *_columns(judged.users)]
        settings["select_by"] = judged.metric
    return {
        "dataset": digest(*tables),
        "configuration": digest(json.dumps(settings, sort_keys=True)),
        "seed": str(context.seed),
        "start": "" if start is None else digest(start.items, start.model.digest()),
    }


def _columns(features: Features | None) -> list[Any]:
    groups = () if features is None else features.groups
    return [part for group in groups for part in (group.name, group.values)]
