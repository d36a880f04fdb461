"""The protocol of all models: fit on a matrix, score rows of one, give and take a state."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

import numpy as np
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.protocol.features import FeatureKind
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.validation import Judge, Validation


class Recommender(FittedModel):
    """A model that can be fitted.

    Nothing is kept of the users that it was fitted on, so a user never seen is folded in by the
    row alone.

    Args:
        config: The model's section of the configuration.
    """

    # Settings that only scoring uses: with others of them a model need not be fitted again.
    scoring_settings: ClassVar[frozenset[str]] = frozenset()
    # Kinds of features that it makes something of, where its settings name some.
    reads: ClassVar[frozenset[FeatureKind]] = frozenset(get_args(FeatureKind))

    def needs(self) -> Needs:
        """Return what a fit needs besides rows: `train` and `tune` refuse a dataset without it.

        Returns:
            What is needed, each with the setting that needs it, `kind` where no other one does:
            `times` of the rows, `item_features`, or `weights` that differ. Models that predict
            ratings need weights that are `ratings` without saying so.
        """
        return {}

    @abstractmethod
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "Recommender":
        """Fit the model.

        Args:
            interactions: Users × items, positive weights.
            context: What else some models use.

        Returns:
            The model itself.
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

        Raises:
            InputError: If the state does not fit the configuration, or itself.
        """

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
        trained: How the network was trained, as the trainer says it; None before, and of a model
            that was read from a folder.
    """

    trained: TrainingConfig | None = None

    @override
    def settled(self) -> Any:
        """The configuration with the number of epochs that was best."""
        return self.config.model_copy(update={"training": self.trained or self.config.training})

    @override
    def with_settings(self, config: Any) -> "Recommender | None":
        """The other model knows how its network was trained, too."""
        other = super().with_settings(config)
        if isinstance(other, NetworkRecommender):
            other.trained = self.trained
        return other

    def _train(self, objective: Objective, context: FitContext) -> None:
        if context.trainer is None:
            raise InputError(
                f"{type(self).__name__} needs context.trainer to train its network, but got None; "
                "call recsparse.training.fit.fit_model, which passes one"
            )
        if len(objective.rows):
            self.trained = context.trainer(objective, context, self._judge(context.validation))

    def _judge(self, validation: Validation | None) -> Judge | None:
        if validation is None:
            return None

        def quality() -> float:
            self._take_up_network()
            return validation.quality(self)

        return Judge(validation.quality_name(self), quality)

    def _take_up_network(self) -> None:
        """Keep what scoring reads of the network as it is now; called before it is judged."""


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
