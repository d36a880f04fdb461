"""UserRidge: a ridge regression from what is known of a user to the user's row."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import UserRidgeConfig
from recsparse.errors import InputError
from recsparse.models.content.wanted_features import wanted_user_features
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.stored_arrays import stored_tensor
from recsparse.models.protocol.user_reader import UserReader

_POWER_ITERATIONS = 6


class UserRidge(Recommender, UserReader):
    """Scores items for users by the users' features alone, so that users need no row.

    With `r` the mean row of the users, `R` their rows and `F` their features, the scores of a user
    of features `f` are `r + f W`, where `W` solves `(FᵀF + ridge I) W = Fᵀ (R − r)`. Of a user of
    whom nothing is known they are the mean row, the order of popularity. A category of `n` users
    keeps `n / (n + ridge)` of what its users differ by.

    Many columns, as of words, are replaced by their first right singular vectors, so that `W` has
    no more than `rank` rows.
    """

    kind: ClassVar[str] = "user_ridge"
    config: UserRidgeConfig

    @override
    def needs(self) -> Needs:
        return {"user_features": "kind"}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "UserRidge":
        """Solve for the weights of the features.

        Args:
            interactions: Users × items, positive weights.
            context: The users' features, and the seed of the randomised SVD.

        Returns:
            The model itself.

        Raises:
            InputError: If there are no features of the users.
        """
        interactions = check_interactions(interactions)
        num_users, self.num_items = interactions.shape
        users = wanted_user_features(self, self.config, context, num_users)
        columns = _columns(Features((), num_users) if users is None else users)
        self.mean = (column_sums(interactions) / num_users).astype(np.float32)
        self.vectors = self._singular_vectors(columns, context)
        known = columns if self.vectors is None else csr_matrix(columns @ self.vectors)
        gram = (known.T @ known).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.config.ridge
        together = (known.T @ interactions).toarray().astype(np.float64)
        together -= np.outer(np.asarray(known.sum(axis=0)).ravel(), self.mean)
        self.weights = np.linalg.solve(gram, together).astype(np.float32)
        return self

    def _singular_vectors(
        self, columns: csr_matrix, context: FitContext
    ) -> NDArray[np.float32] | None:
        if columns.shape[1] <= self.config.rank:
            return None
        with context.reporter.task("finding singular vectors"):
            # Imported here: it takes longer than to score with a model that is fitted.
            from sklearn.utils.extmath import randomized_svd

            rank = min(self.config.rank, *columns.shape)
            _, _, vectors = randomized_svd(
                columns, rank, n_iter=_POWER_ITERATIONS, random_state=context.seed
            )
        return np.ascontiguousarray(vectors.T, dtype=np.float32)

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The mean row, the same for each user."""
        num_rows = self._checked_history(history).shape[0]
        return torch.from_numpy(self.mean).repeat(num_rows, 1)

    @override
    def score_users(
        self, history: csr_matrix, times: csr_matrix | None, users: Features
    ) -> Float[Tensor, "b m"]:
        """The rows that follow from the features; the histories are not read."""
        self._checked_history(history)
        columns = _columns(self.reads_of_users(users))
        wanted = len(self.weights if self.vectors is None else self.vectors)
        if columns.shape[1] != wanted:
            raise InputError(
                f"features of users must have the {wanted} columns of the fit, but have "
                f"{columns.shape[1]}; take those of the same dataset"
            )
        known = columns if self.vectors is None else columns @ self.vectors
        scores = known @ self.weights + self.mean
        return torch.from_numpy(np.asarray(scores, dtype=np.float32))

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the mean row, the weights, and the singular vectors where there are any."""
        state = {"mean": self.mean, "weights": self.weights}
        if self.vectors is not None:
            state["vectors"] = self.vectors
        return {name: torch.from_numpy(value) for name, value in state.items()}

    @classmethod
    @override
    def from_state(cls, config: UserRidgeConfig, state: Mapping[str, Tensor]) -> "UserRidge":
        model = cls(config)
        model.mean = stored_tensor(state, "mean", None).numpy()
        model.num_items = len(model.mean)
        model.weights = stored_tensor(state, "weights", None, model.num_items).numpy()
        model.vectors = None
        if "vectors" in state:
            model.vectors = stored_tensor(state, "vectors", None, len(model.weights)).numpy()
        return model


def _columns(users: Features) -> csr_matrix:
    return csr_matrix(hstack([users.sparse(1.0), csr_matrix(users.dense())], dtype=np.float32))
