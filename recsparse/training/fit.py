"""Fitting any model: linear ones by themselves, networks with `optimise_network`."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from scipy.sparse import csr_matrix

from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.files.atomic import remove
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.recommender import FitExtras, Recommender, Validation
from recsparse.sparse.tensor import SparseTensor
from recsparse.training.fit_digest import job_of
from recsparse.training.optimise import optimise_network
from recsparse.training.plan import FitPlan


def fit_model(
    model: Recommender,
    interactions: csr_matrix,
    plan: FitPlan,
    validate: Callable[[Recommender], float] | None = None,
    item_words: SparseTensor | None = None,
    times: csr_matrix | None = None,
    validation: Validation | None = None,
) -> Recommender:
    """Fit a model in place.

    Args:
        model: Any recommender.
        interactions: Users × items.
        plan: Settings of the training.
        validate: Returns the validation quality of a model, the larger the better.
        item_words: One bag of words an item.
        times: The time of each interaction, where times are known.
        validation: The users of the validation, for models that weigh their parts by it.

    Returns:
        The same model, fitted.

    Raises:
        InputError: If the model to continue from is of another kind, or the checkpoint to resume
            from of another training, or damaged.
    """
    known = plan.warm_start
    if known is not None and known.model.kind != model.kind:
        raise InputError(
            f"a model continues from one of its own kind, but {model.kind} was to continue from "
            f"{known.model.kind}; set model.kind={known.model.kind}, or fit anew"
        )

    def optimise(
        objective: Objective, validate_network: Callable[[], float] | None
    ) -> TrainingConfig:
        own = _plan_of(objective, plan)
        epochs = optimise_network(objective, own, validate_network)
        return own.training.model_copy(update={"stop_after": max(epochs, 1)})

    if plan.checkpoints is not None:
        if not plan.resume:
            remove(plan.checkpoints)
        with plan.reporter.task("computing what tells this training from others"):
            job = job_of(model.config, plan, interactions, times, item_words, validation)
        plan = replace(plan, job=job)
    extras = FitExtras(
        seed=plan.seed,
        times=times,
        validate=validate,
        validation=validation,
        item_words=item_words,
        optimise=optimise,
        warm_start=known,
        reporter=plan.reporter,
    )
    with plan.reporter.task(f"fitting {model.kind}"):
        model.fit(interactions, extras)
    return model


def _plan_of(objective: Objective, plan: FitPlan) -> FitPlan:
    """Give a network its own settings, folder and names of metrics."""
    training = objective.training or plan.training
    if training.device == "auto":
        training = training.model_copy(update={"device": plan.training.device})
    on_epoch, name = plan.on_epoch, objective.name
    if not name:
        return replace(plan, training=training)

    def on_its_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        if on_epoch is not None:
            on_epoch(epoch, {f"{name}/{metric}": value for metric, value in metrics.items()})

    folder = None if plan.checkpoints is None else plan.checkpoints / name
    return replace(plan, training=training, checkpoints=folder, on_epoch=on_its_epoch)
