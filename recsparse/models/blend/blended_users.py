"""Features of users in a blend, which hands them to the parts that read some."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import UserRidgeConfig
from recsparse.config.models import BlendConfig
from recsparse.models.blend.user_prior import best_prior_rows, prior_share, with_prior
from recsparse.models.blend.weights import standardised
from recsparse.models.content.user_ridge import UserRidge
from recsparse.models.protocol.cold_scorer import mean_and_deviation
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.reasons import Contributions, rows_of_cells
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.stored_arrays import stored_number, with_prefix
from recsparse.models.protocol.user_reader import UserReader, read_of_users


class BlendedUsers(UserReader):
    """A blend, some of whose parts may read features of users."""

    config: BlendConfig
    parts: Sequence[Recommender]
    prior: UserRidge | None = None
    prior_rows: float = 0.0

    @abstractmethod
    def scores_by_parts(
        self, history: csr_matrix, times: csr_matrix | None, users: Features | None
    ) -> Float[Tensor, "b m"]:
        """Add up the scores of the parts.

        Args:
            history: One row of interactions per user.
            times: The time of each interaction.
            users: Those features that the parts may read; None where there are none.

        Returns:
            One row per user.
        """

    @override
    def score_users(
        self, history: csr_matrix, times: csr_matrix | None, users: Features
    ) -> Float[Tensor, "b m"]:
        """Weighted sums of the parts' standardised scores, by features of users where read."""
        return self.scores_by_parts(history, times, self.users_of_parts(users))

    @override
    def reads_of_users(self, users: Features) -> Features:
        """Leave those that the parts may read, where any of them does."""
        found = self.users_of_parts(users)
        readers = self.parts if self.prior is None else (*self.parts, self.prior)
        is_read = any(read_of_users(part, found) is not None for part in readers)
        return found if is_read and found is not None else Features((), users.num_ids)

    def users_of_parts(self, users: Features | None) -> Features | None:
        """Leave the features of users that the parts may read.

        Args:
            users: All features of some users.

        Returns:
            Those that `user_features` names; None where there are none.
        """
        if users is None or not self.config.user_features:
            return None
        return users.chosen(self.config.user_features, "model.user_features", "users")

    def with_users_of_parts(self, context: FitContext) -> FitContext:
        """Leave the features of users that the parts may read.

        Args:
            context: What a fit is given.

        Returns:
            What its parts are given of it.
        """
        validation = context.validation
        if validation is not None:
            validation = replace(validation, users=self.users_of_parts(validation.users))
        users = self.users_of_parts(context.user_features)
        return replace(context, user_features=users, validation=validation)

    def fit_prior(self, interactions: csr_matrix, context: FitContext) -> None:
        """Fit scores by features alone, and find what they count against a user's rows.

        Args:
            interactions: Users × items, positive weights.
            context: What the parts were given.
        """
        self.prior, self.prior_rows = None, 0.0
        rows, validation = self.config.prior_rows, context.validation
        is_found = rows is None and self.config.weights is None and validation is not None
        if context.user_features is None or not (is_found or rows):
            return
        with context.reporter.task("weighing the features of the users"):
            prior = UserRidge(UserRidgeConfig()).fit(interactions, context)
            if rows is None:
                assert validation is not None, "it is what finds the number"
                rows = best_prior_rows(self.scores_by_parts, prior.score_users, validation)
        if rows > 0:
            self.prior, self.prior_rows = prior, rows

    def mixed_with_prior(
        self,
        scores: Float[Tensor, "b m"],
        history: csr_matrix,
        times: csr_matrix | None,
        users: Features | None,
    ) -> Float[Tensor, "b m"]:
        """Mix scores by rows with those by features.

        Args:
            scores: What the parts make of the rows.
            history: These rows.
            times: Their times.
            users: Those features that the parts may read; None leaves the scores as they are.

        Returns:
            One row per user.
        """
        if self.prior is None or users is None:
            return scores
        prior = self.prior.score_users(history, times, users)
        num_rows = torch.from_numpy(np.diff(history.indptr)).float()
        return with_prior(scores, prior, num_rows, self.prior_rows)

    def reasons_with_prior(
        self,
        found: Contributions,
        scores: Float[Tensor, "b m"],
        listed: Int[Tensor, "b k"],
        history: csr_matrix,
        users: Features | None,
    ) -> Contributions:
        """Bring what the parts say to scores that are mixed with those by features.

        Args:
            found: What is said of the scores of the parts.
            scores: These scores, of all items.
            listed: The items that it is said of.
            history: The rows of the users.
            users: Those features that the parts may read.

        Returns:
            The contributions to the mixed scores.
        """
        if self.prior is None or users is None:
            return found
        mean, deviation, is_spread = mean_and_deviation(scores)
        prior = standardised(self.prior.score_users(history, None, users)).gather(1, listed)
        num_rows = np.diff(history.indptr)
        share = prior_share(torch.from_numpy(num_rows).float(), self.prior_rows)
        slope = torch.where(is_spread, (1 - share) / deviation, 0.0)
        by_rows = slope * (scores.gather(1, listed) - mean)
        size = by_rows.abs() + (share * prior).abs()
        return Contributions(
            found.cells * slope[rows_of_cells(history)],
            slope * (found.rest - mean) + share * prior,
            found.explained * by_rows.abs() / size.clamp(min=1e-30),
        )

    def prior_state(self) -> dict[str, Tensor]:
        """Return what was fitted of the prior, as named tensors; none without one."""
        if self.prior is None:
            return {}
        state = {f"prior.{name}": value for name, value in self.prior.state().items()}
        return {"prior_rows": torch.tensor(self.prior_rows, dtype=torch.float64), **state}

    def take_prior(self, state: Mapping[str, Tensor]) -> None:
        """Take the prior of a stored model.

        Args:
            state: Its tensors.
        """
        if "prior_rows" in state:
            self.prior_rows = stored_number(state, "prior_rows")
            self.prior = UserRidge.from_state(UserRidgeConfig(), with_prefix(state, "prior."))
