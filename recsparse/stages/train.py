"""The second stage: a dataset becomes a model folder and an MLflow run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config import Config
from recsparse.datasets.bags import bags_to_tensor
from recsparse.datasets.dataset import Dataset, EvaluationPart
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.evaluation.evaluate import RankingResult, evaluate_ranking
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.model_config import BlendConfig
from recsparse.models.base import Recommender, Validation, WarmStart
from recsparse.models.registry import build_model
from recsparse.reporting import SILENT, Reporter
from recsparse.scoring.model_folder import save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.load import load
from recsparse.stages.part import check_ratings, evaluate_part, part_to_rank
from recsparse.training.fit import FitPlan, fit_model
from recsparse.training.learning_curve import plot_learning_curve
from recsparse.training.tracking import Run, start_run

SIGNATURE_ROWS = 5
# Users × items that are ranked after each epoch; what is reported is of all users.
MOST_VALIDATION_SCORES = 100_000_000
# MLflow takes schema, size and digest of a frame; of more rows it is not worth the memory.
TRACKED_ROWS = 1_000_000


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        model: The trained model.
        folder: Its model folder.
        validation: Mean metrics on the validation part.
        fit_seconds: Wall-clock time of the fit.
        run_id: The MLflow run.
        model_uri: The model's MLflow address.
    """

    model: TrainedModel
    folder: Path
    validation: dict[str, float]
    fit_seconds: float
    run_id: str
    model_uri: str


def train(
    dataset: str | Path,
    out: str | Path,
    config: Config | None = None,
    resume: bool = False,
    reporter: Reporter = SILENT,
    go_on_from: str | Path | None = None,
) -> TrainResult:
    """Fit the configured model on the training part, and record it.

    Args:
        dataset: A dataset folder.
        out: The model folder to write.
        config: Sections `model`, `training`, `evaluation`, `tracking`, and the seed.
        resume: Go on from the checkpoint of an interrupted training.
        reporter: Shows the progress.
        go_on_from: A model to go on from where rows, users or items have come since: a folder or an
            MLflow address. Its section `model` is used where the configuration has the default.

    Returns:
        The model and its validation metrics.

    Raises:
        InputError: If the dataset or the configuration breaks a rule, or the model to go on from is
            of another kind or size than the configured one.
    """
    config, out = config or Config(), Path(out)
    data, known = load_dataset(dataset), None
    if go_on_from is not None:
        known = load(go_on_from, out.parent)
        config = _with_model_of(known, config)
    validation_part = part_to_rank(data, "validation")
    epochs: dict[int, dict[str, float]] = {}
    with start_run(config.tracking, out.parent, config.model.kind) as run:
        _log_inputs(run, data, dataset, config)

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            epochs.setdefault(epoch, {}).update(metrics)
            run.log_metrics(metrics, step=epoch)

        plan = FitPlan(
            training=config.training,
            seed=config.seed,
            checkpoints=out.with_name(out.name + ".checkpoints"),
            resume=resume,
            progress=reporter.shows_progress,
            on_epoch=on_epoch,
            warm_start=_warm_start(known, data),
        )
        started = time.perf_counter()
        model = fit_on(data, config, plan)
        fit_seconds = time.perf_counter() - started
        trained = TrainedModel(
            model, data.users, data.items, data.train_matrix(), data.train_times()
        )
        validation = validate(model, validation_part, config).mean()
        _log_outputs(run, validation, fit_seconds, epochs)
        about = {
            "run_id": run.run_id,
            "fit_seconds": fit_seconds,
            "seed": config.seed,
            "dataset": str(Path(dataset).resolve()),
            "validation": validation,
        }
        save_model(trained, out, about)
        model_uri = run.log_model(out, _example(trained), config.tracking.register_as)
    return TrainResult(trained, out, validation, fit_seconds, run.run_id, model_uri)


def _with_model_of(known: TrainedModel, config: Config) -> Config:
    if config.model != BlendConfig():
        return config
    return config.model_copy(update={"model": known.model.config})


def _warm_start(known: TrainedModel | None, data: Dataset) -> WarmStart | None:
    if known is None:
        return None
    return WarmStart(known.model, data.items.index_of(known.items.ids))


def fit_on(data: Dataset, config: Config, plan: FitPlan) -> Recommender:
    """Fit the configured model on a dataset's training part.

    Args:
        data: The dataset.
        config: The model and how to validate it.
        plan: How to train.

    Returns:
        The fitted model.
    """
    metric = f"ndcg@{config.training.k}"
    part = _sampled(part_to_rank(data, "validation"), config.seed)

    def quality(scores: Tensor, history: csr_matrix, targets: csr_matrix) -> np.ndarray:
        ranked = evaluate_ranking(
            lambda *_: scores, history, targets, [config.training.k], max(len(scores), 1)
        )
        return ranked.per_user[metric]

    def score(model: Recommender) -> float:
        if model.predicts_ratings:
            batch_users = config.evaluation.batch_users
            rated = evaluate_ratings(model, part.history, part.targets, batch_users)
            return -rated.overall["rmse"]
        return validate(model, part, config).mean()[metric]

    model = build_model(config.model)
    if model.predicts_ratings:
        check_ratings(data)
    return fit_model(
        model,
        data.train_matrix(),
        plan,
        validate=score,
        item_words=None if data.item_bags is None else bags_to_tensor(data.item_bags),
        times=data.train_times(),
        validation=Validation(part.history, part.targets, part.times, quality),
    )


def _sampled(part: EvaluationPart, seed: int) -> EvaluationPart:
    """Leave as many users as can be ranked for after every epoch."""
    num_users, num_items = part.history.shape
    most = max(1, MOST_VALIDATION_SCORES // max(num_items, 1))
    if num_users <= most:
        return part
    rows = np.sort(np.random.default_rng(seed).choice(num_users, most, replace=False))
    return EvaluationPart(
        part.user_ids.take(pa.array(rows)),
        part.history[rows],
        part.targets[rows],
        None if part.times is None else part.times[rows],
    )


def validate(model: Recommender, part: EvaluationPart, config: Config) -> RankingResult:
    """Rank the full catalogue for the validation part; a model of ratings predicts theirs, too.

    Args:
        model: A fitted model.
        part: The validation part.
        config: List lengths and users a batch.

    Returns:
        Metrics a user.
    """
    ks = sorted({*config.evaluation.k, config.training.k})
    return evaluate_part(model, part, ks, config.evaluation.batch_users)


def _log_inputs(run: Run, data: Dataset, source: str | Path, config: Config) -> None:
    settings = config.model_dump(mode="json")
    run.log_params(
        {"seed": config.seed, "model": settings["model"], "training": settings["training"]}
    )
    run.log_config(settings)
    frame = data.train_frame(TRACKED_ROWS)
    run.log_dataset(frame, Path(source).name, str(source), "training")


def _log_outputs(
    run: Run,
    validation: Mapping[str, float],
    fit_seconds: float,
    epochs: Mapping[int, Mapping[str, float]],
) -> None:
    run.log_metrics({f"validation_{name}": value for name, value in validation.items()})
    run.log_metrics({"fit_seconds": fit_seconds})
    if epochs:
        run.log_figure(plot_learning_curve(epochs), "learning_curve.png")


def _example(trained: TrainedModel) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = min(SIGNATURE_ROWS, len(trained.users), len(trained.items))
    pairs = pd.DataFrame(
        {
            "user_id": trained.users.ids[:rows].to_pylist(),
            "item_id": trained.items.ids[:rows].to_pylist(),
        }
    )
    return pairs, pd.DataFrame({"score": trained.score(pairs)})
