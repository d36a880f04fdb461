"""NextItemRidge: the next event by least squares from what is left of those before it."""

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import NextItemRidgeConfig
from recsparse.errors import InputError
from recsparse.models.histories.event_pairs import event_pairs
from recsparse.models.histories.recency_weights import recency_weighted
from recsparse.models.histories.sequences import times_of_cells
from recsparse.models.linear.ease import ease_diagonal
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.reasons import Contributions, HasReasons, listed_pairs
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.stored_arrays import stored_tensor

# What is left of an event of weight 1 where it is let go.
_NEGLIGIBLE = 1e-3


class NextItemRidge(Recommender, HasSimilarItems, HasReasons):
    """A linear model of the next event, in closed form.

    At each event, every item has as features what is left of its events until then: an event
    fades by a factor with each one after it, by several factors side by side. That is a causal
    convolution along time with exponential kernels. `B = (S^T S + L)^-1 S^T Y` maps these features
    S to the next events Y. Session-aware linear models (Choi et al. 2021,
    https://arxiv.org/abs/2103.16104, SLIT in section 3.3) learn from the past to the whole future
    likewise, with one factor. Memory and time grow with the square and the cube of the number of
    items times that of factors.
    """

    kind: ClassVar[str] = "next_item_ridge"
    scoring_settings = frozenset({"popularity_discount"})
    config: NextItemRidgeConfig

    @override
    def needs(self) -> Needs:
        return {"times": "kind"}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "NextItemRidge":
        """Solve for the weights from what is left of items to the next one.

        Args:
            interactions: Users × items, positive weights.
            context: `times` orders each user's events.

        Returns:
            The model itself.

        Raises:
            InputError: If times are missing, or there are more items than `most_items`.
        """
        cells, config = check_interactions(interactions), self.config
        self._refuse_too_many(cells.shape[1])
        times = times_of_cells(cells, context.times)
        gram, cross = decayed_moments(cells, times, config.decays)
        count = cells.getnnz(axis=0)
        penalty = ease_diagonal(count, config.regularisation, config.popularity_exponent)
        # As much as one event of each item counts in its own features.
        scale = [1 / (1 - decay**2) for decay in config.decays]
        gram[np.diag_indices_from(gram)] += np.concatenate([each * penalty for each in scale])
        with context.reporter.task("solving for the weights"):
            weights = solved_in_place(gram, cross)
        self.weights = weights.view(len(config.decays), cells.shape[1], -1)
        self.count = torch.from_numpy(count.astype(np.float32)).clamp(min=1)
        self.num_items = cells.shape[1]
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Expected counts, divided by the item's rows to the power of `popularity_discount`."""
        history = self._checked_history(history)
        total = torch.zeros(history.shape)
        for decay, weights in zip(self.config.decays, self.weights, strict=True):
            left = recency_weighted(history, times, decay)
            total += torch.from_numpy(left @ weights.numpy())
        return total / self.count**self.config.popularity_discount

    @override
    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """The scores of what comes right after an item, which are not symmetric."""
        counts = self.weights[:, torch.from_numpy(items)].sum(dim=0)
        return counts / self.count**self.config.popularity_discount

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """What is left of each event, times the weights from its item."""
        history = self._checked_history(history)
        first, second = listed_pairs(history, listed)
        cells = torch.zeros(first.shape)
        for decay, weights in zip(self.config.decays, self.weights, strict=True):
            left = torch.from_numpy(recency_weighted(history, times, decay).data)
            cells += left.unsqueeze(1) * weights[first, second]
        cells /= self.count[second] ** self.config.popularity_discount
        return Contributions.whole(cells, torch.zeros(listed.shape))

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the weights."""
        return {"weights": self.weights, "count": self.count}

    @classmethod
    @override
    def from_state(
        cls, config: NextItemRidgeConfig, state: Mapping[str, Tensor]
    ) -> "NextItemRidge":
        model = cls(config)
        model.count = stored_tensor(state, "count", None)
        num_items = model.num_items = len(model.count)
        model.weights = stored_tensor(state, "weights", len(config.decays), num_items, num_items)
        return model

    def _refuse_too_many(self, num_items: int) -> None:
        if num_items > self.config.most_items:
            features = len(self.config.decays) * num_items
            # Gram matrix and products in float64, weights in float32.
            gigabytes = (8 * features**2 + 12 * features * num_items) / 1e9
            raise InputError(
                "next_item_ridge must have at most most_items = "
                f"{self.config.most_items} items, since it holds (items × decays)² numbers, but "
                f"has {num_items}, for which it needs {gigabytes:.1f} GB; choose model.kind "
                "timeline, or raise most_items"
            )


def solved_in_place(gram: np.ndarray, cross: np.ndarray) -> Float[Tensor, "features items"]:
    """Solve the normal equations of a regression, in the memory of what is given.

    Args:
        gram: Products of the features, (features, features), positive definite; overwritten.
        cross: Products of the targets with the features, (items, features); overwritten.

    Returns:
        The weights, float32.
    """
    # By columns, as LAPACK has them.
    factor, weights = torch.from_numpy(gram).mT, torch.from_numpy(cross).mT
    torch.linalg.cholesky(factor, out=factor)
    torch.linalg.solve_triangular(factor, weights, upper=False, out=weights)
    torch.linalg.solve_triangular(factor.mT, weights, upper=True, out=weights)
    return weights.to(torch.float32, memory_format=torch.contiguous_format)


def decayed_moments(
    history: csr_matrix, times: csr_matrix | None, decays: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the products of what is left of all items, and of that with the next event.

    After each event of a user, item i has the feature `sum_k w_k decay^(later events)` over its
    events k so far. After the user's last event the features keep fading, with no event to come.

    Args:
        history: Users × items, each cell the weight of an event.
        times: The time of each event; those of unknown time meet no other.
        decays: The factors, each below 1.

    Returns:
        The Gram matrix of the features, all items of one factor after those of another, and the
        products of the next events with them, (items, features); float64.

    Raises:
        InputError: If there are no times, or not one for each cell.
    """
    num_items, count = history.shape[1], len(decays)
    features = count * num_items
    gram, cross = np.zeros((features, features)), np.zeros((num_items, features))
    # On one axis numpy adds fast.
    met, followed = gram.reshape(-1), cross.reshape(-1)
    own = column_sums(history.power(2))
    farthest = int(np.ceil(np.log(_NEGLIGIBLE) / np.log(max(decays))))
    for earlier, later, weight, apart in event_pairs(history, times, farthest):
        for a, decay in enumerate(decays):
            left = weight * decay ** (apart - 1)
            np.add.at(followed, later * features + (a * num_items + earlier), left)
            for b, other in enumerate(decays):
                # The earlier event has faded when the later one comes; then both fade for good.
                place = (a * num_items + earlier) * features + (b * num_items + later)
                back = (b * num_items + later) * features + (a * num_items + earlier)
                faded = left * decay / (1 - decay * other)
                np.add.at(met, place, faded)
                np.add.at(met, back, faded)
    items = np.arange(num_items)
    for (a, decay), (b, other) in itertools.product(enumerate(decays), repeat=2):
        gram[a * num_items + items, b * num_items + items] += own / (1 - decay * other)
    return gram, cross
