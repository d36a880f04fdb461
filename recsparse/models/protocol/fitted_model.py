"""What a fitted model does: score rows, and tell itself from others."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.digest import digest


class FittedModel(ABC):
    """A model that scores all items for a user from the user's row of interactions.

    Args:
        config: The model's section of the configuration.

    Attributes:
        predicts_ratings: Whether the scores are ratings, in the unit of the weights of the fit.
    """

    kind: ClassVar[str]
    predicts_ratings: ClassVar[bool] = False

    def __init__(self, config: Any) -> None:
        self.config = config
        self.num_items = 0

    @abstractmethod
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Score all items for some users.

        Args:
            history: One row of interactions a user, in the item order of the fit.
            times: The time of each interaction in seconds, a matrix with the cells of the history;
                only some models use it.

        Returns:
            Finite scores, float32, on the CPU; the larger the better.
        """

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Return all that was fitted, as named tensors.

        Returns:
            What `from_state` takes.
        """

    def digest(self) -> str:
        """Return what tells this fitted model from others: a SHA-256 of settings and state."""
        state = sorted(self.state().items())
        parts = [part for name, value in state for part in (name, *_bytes_of(value))]
        return digest(self.config.model_dump_json(), *parts)


def _bytes_of(tensor: Tensor) -> tuple[str, np.ndarray]:
    # NumPy knows no bfloat16.
    values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return f"{tensor.dtype} {tuple(tensor.shape)}", values.numpy()
