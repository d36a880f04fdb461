"""A trial of users' own models: fitted on a few rows, can they be saved and loaded again?"""

import logging
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.model_section import ModelSection
from recsparse.config.training import TrainingConfig
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.parts import EvaluationPart
from recsparse.errors import InputError
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.user_reader import scores_of
from recsparse.models.protocol.validation import Judge
from recsparse.models.registry import build_model
from recsparse.scoring.model_content import plugins_of
from recsparse.scoring.model_state import restored, state_bytes
from recsparse.stages.item_features import item_features
from recsparse.stages.user_features import user_features

logger = logging.getLogger(__name__)

_MOST_USERS, _MOST_ITEMS = 32, 64
# Weights may be stored more coarsely than they were fitted.
_TOLERANCE = 1e-2


def try_own_models(model: ModelSection, data: Dataset, part: EvaluationPart, seed: int) -> None:
    """Refuse a model of a user's own that could not be loaded again, before it is trained.

    It is fitted on a few rows, and no such fit is held against it: what it needs of a log may not
    be in them.

    Args:
        model: The model's section; of a blend, all parts of users' own are tried.
        data: What it is to be fitted on.
        part: The validation part, of which a few histories are used.
        seed: Of the fit.

    Raises:
        InputError: If the scores of the fitted model are none, or its state cannot be saved, or
            does not give a model of the same scores again.
    """
    own = plugins_of(model)
    if not own:
        return
    few = _few_rows(data, part, seed)
    for section in (model, *(getattr(model, "parts", None) or ())):
        if section.kind in own:
            try:
                _try(section, few)
            except InputError as error:
                raise InputError(
                    f"the class {own[section.kind]} must give a model that can be saved and loaded "
                    f"again, but in a trial on {few.rows.shape[0]} rows {error}"
                ) from error


@dataclass(frozen=True)
class _Few:
    """A few rows of a few items, and what a fit on them may use."""

    rows: csr_matrix
    context: FitContext


def _few_rows(data: Dataset, part: EvaluationPart, seed: int) -> _Few:
    rows = part.history[:_MOST_USERS]
    items = np.sort(np.argsort(-rows.getnnz(axis=0), kind="stable")[:_MOST_ITEMS])
    times = None if part.times is None else part.times[:_MOST_USERS][:, items]
    features = item_features(data)
    training = TrainingConfig(epochs=1, device="cpu")
    return _Few(
        rows[:, items],
        FitContext(
            training,
            seed,
            times=times,
            item_features=None if features is None else features.rows(items),
            user_features=user_features(data, part.user_ids[:_MOST_USERS]),
            trainer=_one_batch,
        ),
    )


def _try(section: ModelSection, few: _Few) -> None:
    model = build_model(section)
    name = type(model).__name__
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(few.rows, few.context)
        except Exception:
            logger.debug("no trial of %s: its fit on a few rows failed", name, exc_info=True)
            return
        before = _scores(model, few)
        again = restored(section, load(state_bytes(model)), few.rows.shape[1])
        after = _scores(again, few)
    largest = (before - after).abs().max().item()
    if largest > _TOLERANCE * max(before.abs().max().item(), 1e-6):
        raise InputError(
            f"{name}.score_batch differs after {name}.from_state by up to {largest:.2g}, with "
            f"scores of up to {before.abs().max().item():.2g}; return all that fit has made in "
            "state, take it all up in from_state, and score without chance"
        )


def _scores(model: Recommender, few: _Few) -> Float[Tensor, "b m"]:
    name, rows = f"{type(model).__name__}.score_batch", few.rows
    try:
        scores = scores_of(model, rows, few.context.times, few.context.user_features)
    except Exception as error:
        raise InputError(
            f"{name} raised {type(error).__name__} for rows that it was fitted on: {error}"
        ) from error
    shape, wanted = getattr(scores, "shape", None), torch.Size(rows.shape)
    if not isinstance(scores, Tensor) or shape != wanted or scores.dtype != torch.float32:
        found = f"{scores.dtype} of {tuple(scores.shape)}" if isinstance(scores, Tensor) else scores
        raise InputError(
            f"{name} must return a tensor of float32 and {tuple(wanted)}, one row per user and one "
            f"column per item, but returns {found}"
        )
    if not scores.isfinite().all():
        raise InputError(f"{name} must return finite scores, but some are not")
    return scores.detach().cpu()


def _one_batch(objective: Objective, context: FitContext, judge: Judge | None) -> TrainingConfig:
    """Train on one batch, then make all weights others than those of the start."""
    objective.loss(objective.batch(objective.rows[:_MOST_USERS].tolist())).backward()
    with torch.no_grad():
        for parameter in objective.network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
    return context.training.model_copy(update={"stop_after": 1})
