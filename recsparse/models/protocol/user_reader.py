"""Models that know users by more than their rows, and the one place that calls them so."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.feature_section import UserFeatureSection
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel


class UserReader(ABC):
    """A fitted model that also reads features of the users."""

    @abstractmethod
    def score_users(
        self, history: csr_matrix, times: csr_matrix | None, users: Features
    ) -> Float[Tensor, "b m"]:
        """Score all items for some users, of whom features are known.

        Args:
            history: One row of interactions per user, in the item order of the fit; it may be
                empty.
            times: The time of each interaction, for models that use it.
            users: Features of these users, of the same groups and columns as at the fit; a user
                of whom nothing is known has zeros.

        Returns:
            One row per user, float32, on the CPU; the larger the better.
        """

    def reads_of_users(self, users: Features) -> Features:
        """Leave those features that the model reads.

        Args:
            users: All features of some users.

        Returns:
            Those that its configuration names; none where it names none.
        """
        config = getattr(self, "config", None)
        names = config.user_features if isinstance(config, UserFeatureSection) else ()
        return users.chosen(names, "model.user_features", "users")


def scores_of(
    model: FittedModel,
    history: csr_matrix,
    times: csr_matrix | None = None,
    users: Features | None = None,
) -> Tensor:
    """Score all items for some users by their rows and, where the model reads them, their features.

    Args:
        model: Any fitted model.
        history: One row of interactions per user.
        times: The time of each interaction; None where times are not known.
        users: Features of these users; None where none are known.

    Returns:
        float32, one row per user; a model of a user's own may return anything.
    """
    if users is not None and isinstance(model, UserReader):
        return model.score_users(history, times, users)
    return model.score_batch(history) if times is None else model.score_batch(history, times)


def read_of_users(model: FittedModel, users: Features | None) -> Features | None:
    """Leave those features of users that a model reads.

    Args:
        model: Any model.
        users: All features of some users; None where none are known.

    Returns:
        What it reads; None where that is nothing.
    """
    if users is None or not isinstance(model, UserReader):
        return None
    found = model.reads_of_users(users)
    return found if found.groups else None
