"""Models whose score is an inner product of a vector of the user and one of the item."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel


class ScoresByVectors(ABC):
    """A fitted model that scores by inner products, so that a pair costs one product and no list.

    A bias of the items is one more coordinate, by which each user has 1.
    """

    @abstractmethod
    def user_vectors(
        self, history: csr_matrix, times: csr_matrix | None = None, users: Features | None = None
    ) -> Float[Tensor, "b d"]:
        """Fold users in.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            users: Features of these users, for models that read them.

        Returns:
            One vector per user, float32, on the CPU.
        """

    @abstractmethod
    def item_vectors(self) -> Float[Tensor, "m d"]:
        """Return what the vectors of users are multiplied by.

        Returns:
            One vector per item of the fit, float32, on the CPU.
        """

    def is_inner_product(self) -> bool:
        """Say whether the products are the whole score.

        Returns:
            False for a model of several terms, of which one is no inner product.
        """
        return True


def by_vectors(model: FittedModel) -> ScoresByVectors | None:
    """Return a model as one that scores by vectors.

    Args:
        model: Any fitted model.

    Returns:
        The model itself; None if its scores are no inner products.
    """
    return model if isinstance(model, ScoresByVectors) and model.is_inner_product() else None


def with_bias(vectors: Float[Tensor, "m d"], bias: Float[Tensor, " m"]) -> Float[Tensor, "m d_1"]:
    """Return vectors of items with their biases as the last coordinate.

    Args:
        vectors: One per item.
        bias: One number per item.

    Returns:
        A new tensor.
    """
    return torch.cat([vectors, bias.unsqueeze(1)], dim=1)


def with_one(vectors: Float[Tensor, "b d"]) -> Float[Tensor, "b d_1"]:
    """Return vectors of users with 1 as the last coordinate, for items with biases.

    Args:
        vectors: One per user.

    Returns:
        A new tensor.
    """
    return torch.cat([vectors, vectors.new_ones(len(vectors), 1)], dim=1)
