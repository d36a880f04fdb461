"""The protocol of all models: fit on a matrix, score rows of one, give and take a state."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.training import TrainingConfig
from recsparse.digest import digest
from recsparse.errors import InputError
from recsparse.models.protocol.objective import Objective
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.sparse.tensor import SparseTensor

Validate = Callable[["Recommender"], float]
Optimise = Callable[[Objective, Callable[[], float] | None], TrainingConfig]


@dataclass(frozen=True, eq=False)
class Validation:
    """Users to rank items for while a model is fitted.

    Attributes:
        history: Users × items, what a model may see.
        targets: Users × items, what it has to predict.
        times: The time of each interaction of the history, where times are known.
        quality: Returns each user's quality, the larger the better, from the scores of all items,
            the history and the targets of some of the users.
        looks_ahead: Whether the targets come after the history; where they do not, models of the
            next event are of no use.
    """

    history: csr_matrix
    targets: csr_matrix
    times: csr_matrix | None
    quality: Callable[[Tensor, csr_matrix, csr_matrix], np.ndarray]
    looks_ahead: bool = True


@dataclass(frozen=True, eq=False)
class WarmStart:
    """A fitted model to go on from.

    Attributes:
        model: The model, of the kind that is fitted.
        items: int64, where each of its items is in the new catalogue; -1 where it is not.
    """

    model: "Recommender"
    items: np.ndarray


@dataclass(frozen=True)
class FitExtras:
    """What some models use beside the interactions.

    Attributes:
        seed: Of every random choice.
        times: The time of each interaction: a matrix with the cells of the interactions, which
            holds seconds.
        validate: Returns the validation quality of a model, the larger the better.
        validation: The users that `validate` ranks for.
        item_words: One bag of words an item.
        optimise: Trains a network towards an objective and returns how, its best epoch as
            `stop_after`; the second argument returns the network's validation quality.
        warm_start: A fitted model that networks and factors go on from; models in closed form, and
            those of text, whose words may be others, are fitted anew all the same.
        reporter: Hears of the parts of a model that has some.
    """

    seed: int = 0
    times: csr_matrix | None = None
    validate: Validate | None = None
    validation: Validation | None = None
    item_words: SparseTensor | None = None
    optimise: Optimise | None = None
    warm_start: WarmStart | None = None
    reporter: Reporter = SILENT


class Recommender(ABC):
    """A model that scores all items for a user from the user's row of interactions.

    Nothing is kept of the users that it was fitted on, so a user never seen is folded in by the
    row alone.

    Args:
        config: The model's section of the configuration.

    Attributes:
        predicts_ratings: Whether the scores are ratings, in the unit of the weights of the fit.
    """

    kind: ClassVar[str]
    predicts_ratings: ClassVar[bool] = False
    # Settings that only scoring uses: with others of them a model need not be fitted again.
    scoring_settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Any) -> None:
        self.config = config
        self.num_items = 0

    @abstractmethod
    def fit(self, interactions: csr_matrix, extras: FitExtras | None = None) -> "Recommender":
        """Fit the model.

        Args:
            interactions: Users × items, positive weights.
            extras: What some models use beside.

        Returns:
            The model itself.
        """

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

    @classmethod
    @abstractmethod
    def from_state(cls, config: Any, state: Mapping[str, Tensor]) -> "Recommender":
        """Rebuild a fitted model.

        Args:
            config: The configuration that it was fitted with.
            state: What `state` returned.

        Returns:
            A model that gives the same scores.
        """

    def digest(self) -> str:
        """Return what tells this fitted model from others: a SHA-256 of settings and state."""
        state = sorted(self.state().items())
        parts = [part for name, value in state for part in (name, *_bytes_of(value))]
        return digest(self.config.model_dump_json(), *parts)

    def with_settings(self, config: Any) -> "Recommender | None":
        """Return this fitted model with other settings, where only its scoring differs.

        Args:
            config: A model's section of the configuration.

        Returns:
            A model of that configuration that shares what was fitted; None where it has to be
            fitted.
        """
        if self.num_items == 0 or type(config) is not type(self.config):
            return None
        kept = {name: getattr(self.config, name) for name in self.scoring_settings}
        if config.model_copy(update=kept) != self.config:
            return None
        return type(self).from_state(config, self.state())

    def settled(self) -> Any:
        """Return the configuration with all that was chosen by validation, epochs and weights.

        The number of epochs is known of a model that was fitted here, not of one from a folder.

        Returns:
            A section that fits the model likewise without a validation.
        """
        return self.config

    def _checked_history(self, history: csr_matrix) -> csr_matrix:
        if self.num_items == 0:
            raise InputError(f"{type(self).__name__} must be fitted before it scores; call fit")
        if history.shape[1] != self.num_items:
            raise InputError(
                f"history must have one column for each of {self.num_items} items, but has "
                f"{history.shape[1]}; index it with the model's own item vocabulary"
            )
        return csr_matrix(history, dtype=np.float32)


class NetworkRecommender(Recommender):
    """A model with a network to train.

    Attributes:
        trained: How the network was trained, as `FitExtras.optimise` says it; None before, and of
            a model that was read from a folder.
    """

    trained: TrainingConfig | None = None

    def settled(self) -> Any:
        """Return the configuration with the number of epochs that was best.

        Returns:
            A section that trains as long without a validation.
        """
        return self.config.model_copy(update={"training": self.trained or self.config.training})

    def with_settings(self, config: Any) -> "Recommender | None":
        """Return this fitted model with other settings, where only its scoring differs.

        Args:
            config: A model's section of the configuration.

        Returns:
            The same as `Recommender.with_settings`; it knows how its network was trained, too.
        """
        other = super().with_settings(config)
        if isinstance(other, NetworkRecommender):
            other.trained = self.trained
        return other

    def _train(self, objective: Objective, extras: FitExtras) -> None:
        if extras.optimise is None:
            raise InputError(
                f"{type(self).__name__} needs extras.optimise to train its network, but got None; "
                "call recsparse.training.fit.fit_model, which passes one"
            )
        validate = extras.validate
        if len(objective.rows):
            quality = None if validate is None else lambda: validate(self)
            self.trained = extras.optimise(objective, quality)


def check_interactions(interactions: csr_matrix) -> csr_matrix:
    """Return the interactions as float32, or raise an error if nothing can be learned from them.

    Args:
        interactions: Users × items.

    Returns:
        A copy with each cell once, and without those of weight zero.

    Raises:
        InputError: If there is no interaction, or a weight is negative or not finite.
    """
    csr = csr_matrix(interactions, dtype=np.float32, copy=True)
    csr.sum_duplicates()
    csr.eliminate_zeros()
    if csr.nnz == 0:
        raise InputError("fit needs at least one interaction, but got none")
    if not np.isfinite(csr.data).all() or (csr.data < 0).any():
        raise InputError("interactions must have finite weights that are not negative")
    return csr


def _bytes_of(tensor: Tensor) -> tuple[str, np.ndarray]:
    # NumPy knows no bfloat16.
    values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return f"{tensor.dtype} {tuple(tensor.shape)}", values.numpy()
