"""A model that need not be trained again, since nothing is new since it was trained."""

import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recsparse.config.config import Config
from recsparse.config.plugins import OWN_NAME
from recsparse.digest import digest
from recsparse.files.filesystems import fetched
from recsparse.outputs.job import Job
from recsparse.outputs.made import is_made
from recsparse.outputs.places import local_place
from recsparse.scoring.model_content import plugins_of
from recsparse.scoring.model_folder import MODEL, load_model, read_model_description
from recsparse.stages.train_result import TrainResult
from recsparse.tracking.tracked import is_recorded

logger = logging.getLogger(__name__)

REQUEST = "request"


def request_of(config: Config, uri: str) -> str:
    """Return what tells a request for a model from others, besides what the model is made from.

    Args:
        config: The whole configuration.
        uri: The MLflow store that the training is recorded in.

    Returns:
        A digest.
    """
    return digest(version("recsparse"), config.model_dump_json(), uri)


def trained_before(
    out: str | Path, checkpoints: str, job: Job, config: Config, uri: str
) -> TrainResult | None:
    """Return the model of this very request, where it lies at the output already, and say so.

    With code of a user's own in play there is none, since that code may have changed.

    Args:
        out: The model folder.
        checkpoints: Ending of the folder of a training that was begun after that of the model.
        job: What the model is made from.
        config: The whole configuration.
        uri: The MLflow store that the training is recorded in.

    Returns:
        The model, with what it remembers of its training; None where another job or an older build
        wrote what is there, its run did not finish, or another training was begun since.

    Raises:
        OutputError: If the address cannot be read.
        StoreError: If the store cannot be reached.
    """
    place = local_place(out)
    is_begun = place.with_name(place.name + checkpoints).exists()
    if is_begun or _has_own_code(config) or not is_made(out, MODEL, job):
        return None
    folder = fetched(out)
    about = read_model_description(folder)["training"]
    if about.get(REQUEST) != request_of(config, uri) or not is_recorded(uri, about["run_id"]):
        return None
    logger.warning(
        "nothing is new since %s was trained, of the same dataset, settings and version, so it "
        "stays as it is; pass --again to train it again",
        out,
    )
    figures = about["validation"], about["fit_seconds"], about["run_id"]
    read, new_items = about.get("features", {}), about.get("new_items", {})
    return TrainResult(load_model(folder), folder, *figures, None, read, new_items, is_new=False)


def _has_own_code(config: Config) -> bool:
    named = config.model_dump(mode="json", include={"model", "evaluation"})
    return bool(plugins_of(config.model)) or any(
        # Of a metric, a list length may stand behind the name.
        OWN_NAME.fullmatch(text.partition("@")[0])
        for text in _texts(named)
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
