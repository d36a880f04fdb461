"""Scorer: scores of known users by index, for all items or for pairs."""

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.metrics.top_k import scores_of_lists, top_k_unseen, top_products
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.score_vectors import by_vectors
from recsparse.scoring.pair_scores import pair_scores
from recsparse.scoring.request_columns import slices
from recsparse.scoring.user_rows import UserRows
from recsparse.scoring.user_scores import scores_or_popularity, users_at_once
from recsparse.scoring.user_vectors import UserVectors

# Of a model that scores by vectors, whose scores are never all held.
_USERS_AT_ONCE = 8_192


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

    def users_at_once(self) -> int:
        """Return for how many users lists are made at a time, so that memory is bounded."""
        return users_at_once(self.rows.shape[1]) if self._vectors is None else _USERS_AT_ONCE

    def best(
        self,
        user_index: NDArray[np.int64],
        k: int,
        filter_seen: bool = True,
        allowed: NDArray[np.bool_] | None = None,
    ) -> tuple[Int[Tensor, "b k"], Float[Tensor, "b k"]]:
        """Return the k best items of each user.

        Args:
            user_index: Users; −1 stands for one who was never seen, and gets what is popular.
            k: Length of each list.
            filter_seen: Leave out the items of the user's history.
            allowed: Items that a list may hold; None for all.

        Returns:
            Places of items in the catalogue, −1 where a list is shorter, and their scores.
        """
        index = torch.full((len(user_index), k), -1)
        value = torch.full(index.shape, -torch.inf)
        has_vector = self._has_vector(user_index)
        for which, list_some in ((has_vector, self._by_vectors), (~has_vector, self._by_rows)):
            if which.any():
                some = user_index[which]
                seen = self.rows.of(some) if filter_seen else None
                place = torch.from_numpy(which)
                index[place], value[place] = list_some(some, seen, k, allowed)
        return index, value

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
        has_vector, scores = self._has_vector(user_index), np.empty(len(user_index), np.float32)
        if self._vectors is not None:
            pairs = user_index[has_vector], item_index[has_vector]
            scores[has_vector] = self._vectors.products(*pairs)
        others = user_index[~has_vector], item_index[~has_vector]
        at_once = users_at_once(self.rows.shape[1])
        scores[~has_vector] = pair_scores(*others, self._scores, at_once)
        return scores

    @property
    def is_by_vectors(self) -> bool:
        """Whether pairs cost one product each."""
        return self._vectors is not None

    def user_vectors(self, user_index: NDArray[np.int64]) -> Float[Tensor, "b d"]:
        """Return the vectors of users; the model must score by such.

        Args:
            user_index: Known users.

        Returns:
            One vector each.
        """
        assert self._vectors is not None
        return self._vectors.of(user_index)

    def item_vectors(self) -> Float[Tensor, "m d"]:
        """Return the vectors of all items; the model must score by such."""
        assert self._vectors is not None
        return self._vectors.items

    def fold_in(self, user_index: NDArray[np.int64]) -> None:
        """Make the vectors of users that are not stored, where the model scores by such.

        A vector's last digit may depend on those that are made with it: a job makes all of its own
        before it needs the first, so that it ends with the same bytes wherever it is interrupted.

        Args:
            user_index: Known users, in their order.
        """
        if self._vectors is not None:
            self._vectors.make(user_index[self.to_fold_in(user_index)])

    def to_fold_in(self, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say whose vectors have to be made.

        Args:
            user_index: Users.

        Returns:
            One truth a user; none where the model does not score by vectors.
        """
        has_vector = self._has_vector(user_index)
        return has_vector & ~self.rows.has_vectors(self.model, user_index)

    @cached_property
    def _vectors(self) -> UserVectors | None:
        model = by_vectors(self.model)
        if model is None:
            return None

        def make(user_index: NDArray[np.int64]) -> Tensor:
            is_stored, stored = self.rows.vectors(self.model, user_index)
            if is_stored.all():
                return torch.from_numpy(stored)
            made = model.user_vectors(*self.known_of(user_index[~is_stored]))
            if not is_stored.any():
                return made
            vectors = torch.empty(len(user_index), made.shape[1])
            vectors[torch.from_numpy(is_stored)] = torch.from_numpy(stored)
            vectors[torch.from_numpy(~is_stored)] = made
            return vectors

        return UserVectors(self.rows.shape[0], model.item_vectors(), make)

    def _has_vector(self, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say who is scored by a vector; those without rows may be scored by popularity."""
        if self._vectors is None:
            return np.zeros(len(user_index), dtype=bool)
        return self.rows.has_rows(user_index)

    def _by_vectors(
        self,
        user_index: NDArray[np.int64],
        seen: csr_matrix | None,
        k: int,
        allowed: NDArray[np.bool_] | None,
    ) -> tuple[Tensor, Tensor]:
        assert self._vectors is not None
        return top_products(self._vectors.of(user_index), self._vectors.items, seen, k, allowed)

    def _by_rows(
        self,
        user_index: NDArray[np.int64],
        seen: csr_matrix | None,
        k: int,
        allowed: NDArray[np.bool_] | None,
    ) -> tuple[Tensor, Tensor]:
        found = []
        for rows in slices(len(user_index), users_at_once(self.rows.shape[1])):
            scores = self._scores(user_index[rows])
            is_unknown = torch.from_numpy(user_index[rows] < 0)
            scores[is_unknown] = torch.from_numpy(self.popularity)
            best = top_k_unseen(scores, None if seen is None else seen[rows], k, allowed)
            found.append((best, scores_of_lists(scores, best)))
        index, value = zip(*found, strict=True)
        return torch.cat(index), torch.cat(value)

    def _scores(self, user_index: NDArray[np.int64]) -> Float[Tensor, "b m"]:
        return scores_or_popularity(self.model, self.popularity, *self.known_of(user_index))
