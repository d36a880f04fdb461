"""What features of a user count against the user's rows, the less the more rows there are."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.metrics.top_k import mask_seen
from recsparse.models.blend.weights import sampled_users, standardised
from recsparse.models.histories.sequences import event_order
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.validation import Validation

# What is tried; the share of the features is a quarter at so many rows.
PRIOR_ROWS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
# Of the validation users, so many of the first rows are shown; then all of them.
_SHOWN = (0, 1, 3, 10, None)
# Of the metric of users with all of their rows.
MOST_LOST = 0.005
_MOST_USERS = 1_000
_BATCH_USERS = 256

Scorer = Callable[[csr_matrix, csr_matrix | None, Features], Tensor]


def with_prior(
    scores: Float[Tensor, "b m"],
    prior: Float[Tensor, "b m"],
    num_rows: Float[Tensor, " b"],
    prior_rows: float,
) -> Float[Tensor, "b m"]:
    """Mix scores by rows with scores by features.

    Args:
        scores: By the rows of each user.
        prior: By the features of each user.
        num_rows: How many rows each user has.
        prior_rows: How fast rows take over.

    Returns:
        Both in deviations, the prior with the share `(prior_rows / (prior_rows + n))²` for a user
        of `n` rows: all of it without rows, a quarter at `prior_rows`, next to nothing at ten times
        as many. The scores themselves where `prior_rows` is 0.
    """
    if prior_rows == 0:
        return scores
    share = prior_share(num_rows, prior_rows)
    return standardised(scores) * (1 - share) + standardised(prior) * share


def prior_share(num_rows: Float[Tensor, " b"], prior_rows: float) -> Float[Tensor, "b 1"]:
    """Return the share of the features in the scores of each user.

    Args:
        num_rows: How many rows each user has.
        prior_rows: How fast rows take over, above 0.

    Returns:
        `(prior_rows / (prior_rows + n))²`.
    """
    return (prior_rows / (prior_rows + num_rows)).square()[:, None]


def best_prior_rows(by_rows: Scorer, by_features: Scorer, validation: Validation) -> float:
    """Find how fast rows of a user take over from the user's features.

    The users of validation are ranked for by none, by few and by all of their rows. The best number
    is that of the largest mean over these, of those that cost users with all rows no more than half
    a percent of the metric.

    Args:
        by_rows: Scores users by their rows.
        by_features: Scores users by their features.
        validation: Users to rank for, of whom features are known.

    Returns:
        `prior_rows`; 0 where features do not help.
    """
    validation = sampled_users(validation, 0, _MOST_USERS)
    quality = np.array(
        [_qualities(by_rows, by_features, validation, shown) for shown in _SHOWN], dtype=np.float64
    )
    means, of_all_rows = quality.mean(axis=0), quality[-1]
    means[of_all_rows < of_all_rows[0] * (1 - MOST_LOST)] = -np.inf
    return PRIOR_ROWS[int(np.argmax(means))]


def _qualities(
    by_rows: Scorer, by_features: Scorer, validation: Validation, shown: int | None
) -> list[float]:
    """Return the quality by each number of rows, where so many of the first rows are shown."""
    history, times = validation.history, validation.times
    known, when = (history, times) if shown is None else first_rows(history, times, shown)
    found: list[list[np.ndarray]] = [[] for _ in PRIOR_ROWS]
    for start in range(0, history.shape[0], _BATCH_USERS):
        some = slice(start, start + _BATCH_USERS)
        assert validation.users is not None
        given = known[some], None if when is None else when[some], validation.users.rows(some)
        scores, prior = by_rows(*given), by_features(*given)
        num_rows = torch.from_numpy(np.diff(known[some].indptr)).float()
        for number, rows in enumerate(PRIOR_ROWS):
            mixed = with_prior(scores, prior, num_rows, rows)
            seen = mask_seen(mixed, history[some])
            found[number].append(validation.of_scores(seen, validation.targets[some]))
    return [float(np.nanmean(np.concatenate(values))) for values in found]


def first_rows(
    history: csr_matrix, times: csr_matrix | None, most: int
) -> tuple[csr_matrix, csr_matrix | None]:
    """Leave the first rows of each user.

    Args:
        history: Users × items.
        times: The time of each cell; None takes any rows, the same each time.
        most: How many.

    Returns:
        The rows that are left, and their times.
    """
    history = history.sorted_indices()
    if times is None:
        chance = np.random.default_rng(0).permutation(history.nnz)
        by_chance = csr_matrix((chance, history.indices, history.indptr), shape=history.shape)
        order = event_order(history, by_chance)
    else:
        times = times.sorted_indices()
        order = event_order(history, times)
    place = np.arange(history.nnz) - np.repeat(history.indptr[:-1], np.diff(history.indptr))
    is_kept = np.zeros(history.nnz, dtype=bool)
    is_kept[order] = place < most
    kept = np.flatnonzero(is_kept)
    indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(history.indptr), most))])

    def left(matrix: csr_matrix) -> csr_matrix:
        return csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)

    return left(history), None if times is None else left(times)
