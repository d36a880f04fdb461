"""Fitting any model: networks with `train_network`, all others by themselves."""

from dataclasses import replace

from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.files.atomic import remove
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.training.fit_digest import job_of
from recsparse.training.trainer import train_network


def fit_model(
    model: Recommender, interactions: csr_matrix, context: FitContext = PLAIN
) -> Recommender:
    """Fit a model in place.

    Args:
        model: Any recommender.
        interactions: Users × items.
        context: What else it may use; without a trainer it gets `train_network`.

    Returns:
        The same model, fitted.

    Raises:
        InputError: If the model to continue from is of another kind, or the checkpoint to resume
            from of another training, or damaged.
    """
    known = context.warm_start
    if known is not None and known.model.kind != model.kind:
        raise InputError(
            f"a model continues from one of its own kind, but {model.kind} was to continue from "
            f"{known.model.kind}; set model.kind={known.model.kind}, or fit anew"
        )
    if context.checkpoints is not None:
        if not context.resume:
            remove(context.checkpoints)
        with context.reporter.task("computing what tells this training from others"):
            context = replace(context, job=job_of(model.config, interactions, context))
    with context.reporter.task(f"fitting {model.kind}"):
        model.fit(interactions, replace(context, trainer=context.trainer or train_network))
    return model
