"""EASE: a linear model from items to items, in closed form."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import EASEConfig
from recsparse.errors import InputError
from recsparse.models.histories.recency_weights import recency_weighted
from recsparse.models.histories.sequences import times_of_cells
from recsparse.models.histories.window_gram import window_gram
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.reasons import Contributions, HasReasons, listed_pairs
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.stored_arrays import stored_tensor

# Bytes for each pair of items: solved in float64 in place, kept in float32.
_BYTES = 12


class EASE(Recommender, HasSimilarItems, HasReasons):
    """Embarrassingly shallow autoencoder (Steck 2019, https://arxiv.org/abs/1905.03375, eq. 8).

    `B = I - P diag(1 / diag P)` with `P = (X^T X + L)^-1`: the least-squares map from the items of
    a row to each item, forbidden to use the item itself. The diagonal matrix `L` is
    `regularisation (n_i / mean n)^popularity_exponent`. Memory and time grow with the square and
    the cube of the number of items.

    With `window_events`, the rows of X are windows that slide along each user's events, so that
    items are related by being close in time; what is scored is a user's whole row all the same.
    """

    kind: ClassVar[str] = "ease"
    scoring_settings = frozenset({"recency_decay", "recency_floor"})
    config: EASEConfig

    @override
    def needs(self) -> Needs:
        if self.config.window_events is not None:
            return {"times": "window_events"}
        return {"times": "recency_decay"} if self.config.recency_decay < 1 else {}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "EASE":
        """Solve for the item-item weights.

        Args:
            interactions: Users × items, positive weights.
            context: `times` orders each user's events, for `window_events`.

        Returns:
            The model itself.

        Raises:
            InputError: If there are more items than `most_items`, or wanted times are missing.
        """
        interactions = check_interactions(interactions)
        self._refuse_too_many(interactions.shape[1])
        gram = self._gram(interactions, context)
        gram[np.diag_indices_from(gram)] += ease_diagonal(
            interactions.getnnz(axis=0),
            self.config.regularisation,
            self.config.popularity_exponent,
        )
        # One matrix throughout, by columns as LAPACK has it: Gram matrix, factor, inverse, weights.
        solved = torch.from_numpy(gram).mT
        with context.reporter.task("inverting the Gram matrix"):
            torch.linalg.cholesky(solved, out=solved)
            torch.cholesky_inverse(solved, out=solved)
        solved.div_(-solved.diagonal()).fill_diagonal_(0.0)
        # By rows, as scipy multiplies, else it would be copied for every batch.
        self.weights = solved.to(torch.float32, memory_format=torch.contiguous_format)
        self.num_items = len(solved)
        return self

    def _gram(self, interactions: csr_matrix, context: FitContext) -> np.ndarray:
        events = self.config.window_events
        if events is None:
            return (interactions.T @ interactions).toarray().astype(np.float64, order="C")
        return window_gram(interactions, times_of_cells(interactions, context.times), events)

    def _refuse_too_many(self, num_items: int) -> None:
        if num_items > self.config.most_items:
            gigabytes = _BYTES * num_items**2 / 1e9
            raise InputError(
                f"EASE must have at most most_items = {self.config.most_items} items, since it "
                f"holds items × items numbers, but has {num_items}, for which it needs "
                f"{gigabytes:.0f} GB; choose model.kind sparse_ease, gf_cf or ials, or raise "
                "most_items"
            )

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The rows times the item-item weights; times count where `recency_decay` is below 1."""
        return torch.from_numpy(self._weighted(history, times) @ self.weights.numpy())

    def _weighted(self, history: csr_matrix, times: csr_matrix | None) -> csr_matrix:
        history = self._checked_history(history)
        decay, floor = self.config.recency_decay, self.config.recency_floor
        return recency_weighted(history, times, decay, floor) if decay < 1 else history

    @override
    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """Partial correlations, which are symmetric: `-P_ij / sqrt(P_ii P_jj)` of the inverse P.

        As `B_ij = -P_ij / P_jj`, they are the roots of `B_ij B_ji`, with the sign of both.
        """
        index = torch.from_numpy(items)
        onto, back = self.weights[index], self.weights[:, index].T
        return onto.sign() * (onto * back).clamp(min=0).sqrt()

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """The item-item weights, times the weights of the cells."""
        history = self._weighted(history, times)
        between = self.weights[listed_pairs(history, listed)]
        cells = torch.from_numpy(history.data).unsqueeze(1) * between
        return Contributions.whole(cells, torch.zeros(listed.shape))

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the item-item weights."""
        return {"weights": self.weights}

    @classmethod
    @override
    def from_state(cls, config: EASEConfig, state: Mapping[str, Tensor]) -> "EASE":
        model = cls(config)
        weights = stored_tensor(state, "weights", None, None)
        model.num_items = len(weights)
        model.weights = stored_tensor(state, "weights", model.num_items, model.num_items)
        return model


def ease_diagonal(
    count: np.ndarray, regularisation: float, popularity_exponent: float
) -> np.ndarray:
    """Return what each item's diagonal is raised by.

    Args:
        count: Number of rows of each item.
        regularisation: The mean, but for the exponent's curvature.
        popularity_exponent: Power of an item's rows over their mean.

    Returns:
        float64, one number per item.
    """
    share = np.maximum(count, 1.0) / count.mean()
    diagonal: np.ndarray = regularisation * share**popularity_exponent
    return diagonal
