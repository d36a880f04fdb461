"""Features of users in a blend, which hands them to the parts that read some."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.models import BlendConfig
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.user_reader import UserReader, read_of_users


class BlendedUsers(UserReader):
    """A blend, some of whose parts may read features of users."""

    config: BlendConfig
    parts: Sequence[Recommender]

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
        is_read = any(read_of_users(part, found) is not None for part in self.parts)
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
