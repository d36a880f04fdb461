"""Scorer: scores of known users by index, for all items or for pairs."""

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.score_vectors import by_vectors
from recsparse.scoring.pair_scores import pair_scores
from recsparse.scoring.user_rows import UserRows
from recsparse.scoring.user_scores import scores_or_popularity, users_at_once
from recsparse.scoring.user_vectors import UserVectors


class Scorer:
    """Scores users from what is known of them.

    Users with rows are scored by the vectors of the model, made once each, where it has any.

    Args:
        model: A fitted model.
        rows: What is known of the users by their rows.
        users: Features of the users; None where the model reads none.
        popularity: The share of each item; None to count it in the rows.
    """

    def __init__(
        self,
        model: FittedModel,
        rows: UserRows,
        users: Features | None = None,
        popularity: NDArray[np.float32] | None = None,
    ) -> None:
        self.model, self.rows, self.users = model, rows, users
        self._given_popularity = popularity

    @cached_property
    def popularity(self) -> NDArray[np.float32]:
        """Each item's share of the weight of recent rows."""
        if self._given_popularity is not None:
            return self._given_popularity
        return self.rows.popularity()

    def known_of(
        self, user_index: NDArray[np.int64]
    ) -> tuple[csr_matrix, csr_matrix | None, Features | None]:
        """Return what is known of some users.

        Args:
            user_index: Users; −1 stands for one of whom nothing is known.

        Returns:
            Their rows, the times of these, and features of the users.
        """
        history, times = self.rows.timed(user_index)
        return history, times, None if self.users is None else self.users.rows(user_index)

    def scores(self, user_index: NDArray[np.int64]) -> Float[Tensor, "b m"]:
        """Score all items.

        Args:
            user_index: Users; −1 stands for one of whom nothing is known.

        Returns:
            One row per user.
        """
        vectors = self._vectors
        if vectors is None:
            return self._scores_by_rows(user_index)
        # The others may be scored by popularity.
        has_vector = self.rows.has_rows(user_index)
        if has_vector.all():
            return vectors.of(user_index) @ vectors.items.T
        scores = torch.empty(len(user_index), self.rows.shape[1])
        by_vector, others = map(torch.from_numpy, (has_vector, ~has_vector))
        scores[by_vector] = vectors.of(user_index[has_vector]) @ vectors.items.T
        scores[others] = self._scores_by_rows(user_index[~has_vector])
        return scores

    def pair_scores(
        self, user_index: NDArray[np.int64], item_index: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Score pairs.

        Args:
            user_index: The known user of each pair.
            item_index: The known item of each pair.

        Returns:
            One score a pair.
        """
        at_once = users_at_once(self.rows.shape[1])
        if self._vectors is None:
            return pair_scores(user_index, item_index, self._scores_by_rows, at_once)
        has_vector, scores = self.rows.has_rows(user_index), np.empty(len(user_index), np.float32)
        pairs = user_index[has_vector], item_index[has_vector]
        scores[has_vector] = self._vectors.products(*pairs)
        others = user_index[~has_vector], item_index[~has_vector]
        scores[~has_vector] = pair_scores(*others, self._scores_by_rows, at_once)
        return scores

    @cached_property
    def _vectors(self) -> UserVectors | None:
        model = by_vectors(self.model)
        if model is None:
            return None

        def make(user_index: NDArray[np.int64]) -> Tensor:
            return model.user_vectors(*self.known_of(user_index))

        return UserVectors(self.rows.shape[0], model.item_vectors(), make)

    def _scores_by_rows(self, user_index: NDArray[np.int64]) -> Float[Tensor, "b m"]:
        return scores_or_popularity(self.model, self.popularity, *self.known_of(user_index))
