"""The second stage: a dataset becomes a model folder and an MLflow run."""

import logging
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from recsparse.config.config import Config
from recsparse.config.models import BlendConfig
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.fit_rows import rows_to_fit
from recsparse.datasets.parts import EvaluationPart
from recsparse.errors import InputError
from recsparse.files.addresses import absolute, folder_of
from recsparse.files.atomic import remove_or_warn
from recsparse.files.filesystems import fetched
from recsparse.models.content.new_items import base_of
from recsparse.models.protocol.warm_start import WarmStart
from recsparse.outputs.claim import Output, claim, require_own_files
from recsparse.outputs.job import Job
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.scoring.left_out import in_the_place_of_history
from recsparse.scoring.model_content import plugins_of
from recsparse.scoring.model_folder import MODEL, save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.data import load_data
from recsparse.stages.fit_on_dataset import fit_context
from recsparse.stages.fitted import Fitted, fitted_on
from recsparse.stages.list_context import require_context
from recsparse.stages.load import load
from recsparse.stages.needs import require_needs
from recsparse.stages.nothing_new import REQUEST, request_of, trained_before
from recsparse.stages.rank_part import part_to_rank
from recsparse.stages.train_result import TrainResult
from recsparse.stages.training_run import (
    Epochs,
    TrainingSource,
    example_of,
    log_fitted,
    training_run,
)
from recsparse.stages.trial_fit import try_own_models
from recsparse.tracking.run import Run
from recsparse.tracking.store import tracking_uri
from recsparse.training.resumption import start_checkpoints

logger = logging.getLogger(__name__)

# Ending of the folder of the training's state, and the files in it, of older builds too.
CHECKPOINTS = ".checkpoints"
_CHECKPOINT = re.compile(r"(.*/)?\.?(last|best|complete|run)\.(ckpt|pt|safetensors|toml)(\..*)?")


def train(  # noqa: PLR0913
    dataset: str | Path,
    out: str | Path,
    config: Config | None = None,
    resume: bool = False,
    reporter: Reporter = SILENT,
    continue_from: str | Path | None = None,
    overwrite: bool = True,
    fresh: bool = False,
    again: bool = True,
) -> TrainResult:
    """Fit the configured model on the training part, save it, and record it.

    With `refit`, validation chooses epochs and weights, then the model is fitted again on training
    and validation rows; the metrics reported are of the first fit.

    Args:
        dataset: A dataset folder.
        out: The model folder to write.
        config: Sections `model`, `training`, `evaluation`, `tracking`, and the seed.
        resume: Resume from the checkpoint of an interrupted training, where there is one, and in
            its MLflow run.
        reporter: Shows the progress.
        continue_from: A model to continue from where rows, users or items have come since: a folder
            or an MLflow address. Its section `model` is used where the configuration has the
            default.
        overwrite: Replace a model that was trained from other data or settings.
        fresh: Remove the checkpoint of an interrupted training and start anew.
        again: Train a model that is there already, of the same dataset, settings and version;
            without it such a model stays as it is, but for one with code of your own, which may
            have changed.

    Returns:
        The model and its validation metrics.

    Raises:
        InputError: If the dataset or the configuration breaks a rule, the dataset lacks what the
            model needs, a model of the caller's own could not be loaded again, or the model to
            continue from is of another kind or size than the configured one, or is to be fitted
            again.
        CheckpointError: If there is a checkpoint and neither `resume` nor `fresh` is set, or
            it is of another training.
        StoreError: If the MLflow store cannot be reached or written; nothing is fitted then.
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
    """
    config, store_folder = config or Config(), folder_of(out)
    data = load_data(dataset, reporter)
    known, config = _start(continue_from, config, store_folder, reporter)
    job = Job.of(
        "train",
        [dataset, continue_from],
        config.model_dump(exclude={"tracking", "promotion", "tuning"}),
    )
    uri = tracking_uri(config.tracking, store_folder)
    if not again and (before := trained_before(out, CHECKPOINTS, job, config, uri)) is not None:
        return before
    validation_part = _validation_part(data, config, reporter)
    with (
        claim(out, MODEL, job, overwrite, (CHECKPOINTS,), reporter) as output,
        ExitStack() as opened,
    ):
        checkpoints = output.working_folder(CHECKPOINTS)
        require_own_files(checkpoints, _CHECKPOINT.fullmatch)
        start_checkpoints(checkpoints, resume, fresh)
        source = TrainingSource(data, dataset, continue_from)
        run = opened.enter_context(
            training_run(source, checkpoints, config, store_folder, reporter)
        )
        epochs = Epochs(run)
        with reporter.task("laying out the rows"):
            rows = rows_to_fit(data)
            context = replace(
                fit_context(data, rows, validation_part, config),
                checkpoints=checkpoints,
                resume=True,  # what is not to be resumed is removed
                reporter=reporter,
                on_epoch=epochs.add,
                warm_start=_warm_start(known, data),
            )
        fitted = fitted_on(data, rows, validation_part, config, context)
        # The model comes first: whatever happens to the store, it is on the disk.
        with reporter.task("saving the model"):
            _save(fitted, output, _about(run, fitted, dataset, config, uri))
        remove_or_warn(checkpoints)
        with reporter.task("recording the model"):
            log_fitted(run, fitted, epochs.metrics)
            example, tracking = example_of(fitted.trained), config.tracking
            instead = in_the_place_of_history(out, tracking.log_history)
            modules = [name.partition(":")[0] for name in plugins_of(config.model).values()]
            model_uri = run.log_model(out, example, tracking.register_as, instead, modules)
    made = fitted.trained, fetched(out), fitted.validation, fitted.seconds, run.run_id
    return TrainResult(*made, model_uri, fitted.features, _new_items(fitted))


def _start(
    continue_from: str | Path | None, config: Config, store_folder: Path, reporter: Reporter
) -> tuple[TrainedModel | None, Config]:
    # Returns the model to continue from, if any, and the configuration with its section `model`.
    if continue_from is None:
        return None, config
    if config.refit:
        raise InputError(
            "a model that continues from another cannot be fitted again on the validation rows: it "
            "would be trained too little; leave refit or --from out"
        )
    known = load(continue_from, store_folder, reporter)
    config = _with_model_of(known, config)
    if known.model.kind == config.model.kind and not known.model.continues():
        logger.warning(
            "%s has nothing to continue from but its settings: a model of the kind %s is fitted "
            "anew, on all rows, whatever was fitted before; leave --from out where the settings "
            "are given",
            continue_from,
            config.model.kind,
        )
    return known, config


def _validation_part(data: Dataset, config: Config, reporter: Reporter) -> EvaluationPart:
    # What could not be fitted, or not be loaded again, is refused before anything is recorded.
    require_needs(config.model, data)
    require_context(data, config.evaluation.metrics)
    with reporter.task("reading the validation part"):
        part = part_to_rank(data, "validation")
    try_own_models(config.model, data, part, config.seed)
    return part


def _with_model_of(known: TrainedModel, config: Config) -> Config:
    if config.model != BlendConfig():
        return config
    return config.model_copy(update={"model": known.model.config})


def _warm_start(known: TrainedModel | None, data: Dataset) -> WarmStart | None:
    if known is None:
        return None
    model = base_of(known.model)
    return WarmStart(model, data.items.index_of(known.items.ids[: model.num_items]))


def _about(
    run: Run, fitted: Fitted, dataset: str | Path, config: Config, uri: str
) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "fit_seconds": fitted.seconds,
        "seed": config.seed,
        "dataset": absolute(dataset),
        "validation": fitted.validation,
        "refit": config.refit,
        "features": fitted.features,
        **({"new_items": _new_items(fitted)} if fitted.new_items else {}),
        REQUEST: request_of(config, uri),
    }


def _new_items(fitted: Fitted) -> dict[str, Any]:
    return {} if fitted.new_items is None else fitted.new_items.summary()


def _save(fitted: Fitted, out: Output, about: dict[str, Any]) -> None:
    settled = fitted.trained.data.laid_over(fitted.settled).model_dump(mode="json")
    save_model(fitted.trained, out, about, settled)
