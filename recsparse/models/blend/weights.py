"""The weights of a blend: several models' scores on one scale, and what each counts."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recsparse.models.protocol.cold_scorer import in_deviations
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.user_reader import scores_of
from recsparse.models.protocol.validation import Validation

logger = logging.getLogger(__name__)

# What is tried for the weight of a part, relative to the others.
WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
_ROUNDS = 3
# Validation users that weights are found on, and the most scores of a part that are held for it.
_MOST_USERS = 4_000
_MOST_SCORES = 40_000_000
_BATCH_USERS = 256


def standardised(scores: Float[Tensor, "b m"]) -> Float[Tensor, "b m"]:
    """Bring each row to mean 0 and standard deviation 1.

    Args:
        scores: One row per user.

    Returns:
        The scores; zero in a row whose scores are all equal.
    """
    return in_deviations(scores, scores)


def best_weights(parts: Sequence[Recommender], validation: Validation) -> list[float]:
    """Find the weights under which the sum of some models' scores ranks best.

    Args:
        parts: Fitted models.
        validation: Users to rank for.

    Returns:
        One weight per part, the largest 1; at least one is positive.
    """
    return weights_of_scores([_standardised_scores(part, validation) for part in parts], validation)


def weights_of_scores(
    scores: Sequence[Float[Tensor, "b m"]], validation: Validation
) -> list[float]:
    """Find the weights under which the sum of some scores ranks best.

    From the best part alone, each part in turn gets the weight that is best with the others, for
    a few rounds, until nothing changes.

    Args:
        scores: Of each part, a row per user, in units that can be compared.
        validation: These users.

    Returns:
        One weight per part, the largest 1; at least one is positive.
    """
    numbers = range(len(scores))
    search = _Search(scores, validation)
    weights = np.zeros(len(scores))
    alone = [search.quality(search.without(number, weights), number, 1.0) for number in numbers]
    logger.info("validation of the parts alone: %s", alone)
    weights[int(np.argmax(alone))] = 1.0
    best = max(alone)
    for _ in range(_ROUNDS):
        before = weights.copy()
        for number in numbers:
            others = search.without(number, weights)
            is_only = not np.delete(weights, number).any()
            for weight in WEIGHTS:
                if weight == weights[number] or (weight == 0 and is_only):
                    continue
                found = search.quality(others, number, weight)
                if found > best:
                    best, weights[number] = found, weight
        if (weights == before).all():
            break
    largest = weights.max()
    return [float(weight / largest) for weight in weights]


def sampled_users(validation: Validation, seed: int, most_users: int | None = None) -> Validation:
    """Leave as many users as weights are found on.

    Args:
        validation: Users to rank for.
        seed: Of the choice.
        most_users: How many, where their scores are few enough; None for as many as usual.

    Returns:
        All of them, or some drawn at random.
    """
    num_users, num_items = validation.history.shape
    most = max(1, min(most_users or _MOST_USERS, _MOST_SCORES // max(num_items, 1)))
    if num_users <= most:
        return validation
    rows = np.sort(np.random.default_rng(seed).choice(num_users, most, replace=False))
    times = None if validation.times is None else validation.times[rows]
    users = None if validation.users is None else validation.users.rows(rows)
    return replace(
        validation,
        history=validation.history[rows],
        targets=validation.targets[rows],
        times=times,
        users=users,
    )


class _Search:
    """The scores of all parts, and how well weighted sums of them rank.

    Args:
        scores: Of each part, one row per user.
        validation: These users.
    """

    def __init__(self, scores: Sequence[Float[Tensor, "b m"]], validation: Validation) -> None:
        self.scores, self.validation = scores, validation
        seen = validation.history.tocoo()
        self._seen = torch.from_numpy(seen.row).long(), torch.from_numpy(seen.col).long()
        # One for all sums, since allocating it takes longer than summing.
        self._sum = torch.empty(seen.shape)

    def without(self, number: int, weights: np.ndarray) -> Float[Tensor, "b m"]:
        """Return the weighted sum of all parts but one, −inf where an item is seen."""
        total = torch.zeros_like(self._sum)
        for other, score in enumerate(self.scores):
            if other != number and weights[other]:
                total.add_(score, alpha=float(weights[other]))
        return total.index_put_(self._seen, total.new_tensor(-torch.inf))

    def quality(self, others: Float[Tensor, "b m"], number: int, weight: float) -> float:
        """Return how well the others with one part of some weight rank."""
        torch.add(others, self.scores[number], alpha=weight, out=self._sum)
        found = self.validation.of_scores(self._sum, self.validation.targets)
        return float(np.nanmean(found))


def _standardised_scores(part: Recommender, validation: Validation) -> Float[Tensor, "b m"]:
    """Score some users at a time, since networks hold several vectors of each cell."""
    history, times = validation.history, validation.times
    scores = torch.empty(history.shape)
    for start in range(0, history.shape[0], _BATCH_USERS):
        some = slice(start, start + _BATCH_USERS)
        when = None if times is None else times[some]
        users = None if validation.users is None else validation.users.rows(some)
        scores[some] = standardised(scores_of(part, history[some], when, users))
    return scores
