"""The trainer of networks that a fit is given: each with its own settings and checkpoints."""

from dataclasses import replace

from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.validation import Judge
from recsparse.training.optimise import optimise_network


def train_network(
    objective: Objective, context: FitContext, judge: Judge | None = None
) -> TrainingConfig:
    """Train a network of a model.

    Args:
        objective: The network, its rows, its loss, and settings of its own where it has some.
        context: How the model is fitted.
        judge: Tells how good the network is as it is now.

    Returns:
        How it was trained, the best epoch as `stop_after`.
    """
    training = objective.training or context.training
    if training.device == "auto":
        training = training.model_copy(update={"device": context.training.device})
    folder = None if context.checkpoints is None else context.checkpoints / context.network
    seed = context.seed if context.training_seed is None else context.training_seed
    own = replace(context, training=training, seed=seed, checkpoints=folder)
    epochs = optimise_network(objective, own, judge)
    return training.model_copy(update={"stop_after": max(epochs, 1)})
