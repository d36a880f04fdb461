"""What a training depends on, in digests: a checkpoint of another one is not resumed from."""

import json
from typing import Any

from scipy.sparse import csr_matrix

from recsparse.digest import digest
from recsparse.models.protocol.recommender import Validation
from recsparse.sparse.tensor import SparseTensor
from recsparse.training.plan import FitPlan


def job_of(
    config: Any,
    plan: FitPlan,
    interactions: csr_matrix,
    times: csr_matrix | None,
    item_words: SparseTensor | None,
    validation: Validation | None,
) -> dict[str, str]:
    """Return what tells a training from all others.

    Args:
        config: The model's section.
        plan: Its settings, the device apart: a training may go on elsewhere.
        interactions: Users × items.
        times: Of the interactions.
        item_words: Of the items.
        validation: The users that the epochs are judged by.

    Returns:
        A text each for `dataset`, `configuration`, `seed` and `start`.
    """
    start = plan.warm_start
    training = plan.training.model_dump(mode="json", exclude={"device"})
    settings = {"model": config.model_dump(mode="json"), "training": training}
    words = () if item_words is None else (item_words.coords.numpy(), item_words.feats.numpy())
    judged: tuple[csr_matrix | None, ...] = ()
    if validation is not None:
        judged = (validation.history, validation.times, validation.targets)
    return {
        "dataset": digest(interactions, times, *words, *judged),
        "configuration": digest(json.dumps(settings, sort_keys=True)),
        "seed": str(plan.seed),
        "start": "" if start is None else digest(start.items, start.model.digest()),
    }
