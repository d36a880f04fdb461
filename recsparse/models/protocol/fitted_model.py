"""What a fitted model does: score rows, and tell itself from others."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import ValidationError
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.config import Config
from recsparse.config.key_errors import explained
from recsparse.digest import digest
from recsparse.errors import ConfigError, InputError


class FittedModel(ABC):
    """A model that scores all items for a user from the user's row of interactions.

    Args:
        config: The model's section of the configuration; made of the settings where there is none.
        **settings: Those settings of the section that are not to be its defaults, by name.

    Raises:
        InputError: If both are given.
        ConfigError: If a setting is unknown or out of its range.

    Attributes:
        predicts_ratings: Whether the scores are ratings, in the unit of the weights of the fit.
    """

    kind: ClassVar[str]
    predicts_ratings: ClassVar[bool] = False

    def __init__(self, config: Any = None, **settings: Any) -> None:
        if config is not None and settings:
            raise InputError(
                f"settings must stand in the configuration where there is one, but "
                f"{', '.join(settings)} is named as well; leave one of the two out"
            )
        self.config = self._section(settings) if config is None else config
        self.num_items = 0

    def __repr__(self) -> str:
        """Return the class with its settings, and how many items it was fitted on."""
        changed = {
            name: value
            for name, value in self.config
            if name != "kind" and value != type(self.config).model_fields[name].default
        }
        shown = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        fitted = f" of {self.num_items:,} items" if self.num_items else ", not fitted"
        return f"<{type(self).__name__}({shown}){fitted}>"

    def _section(self, settings: Mapping[str, Any]) -> Any:
        try:
            return Config.model_validate({"model": {"kind": self.kind, **settings}}).model
        except ValidationError as error:
            raise ConfigError(explained(error, type(self).__name__)) from error

    def continues(self) -> bool:
        """Say whether a fit takes over what this fitted model has learned, as its `warm_start`.

        Returns:
            False for models in closed form, and all others that are fitted anew whatever is known.
        """
        return False

    @abstractmethod
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Score all items for some users.

        Args:
            history: One row of interactions per user, in the item order of the fit.
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
