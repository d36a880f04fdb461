"""RatingGrid: a network on the sparse grid of ratings, blended with Bayesian factors."""

import logging
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.rating_models import RatingGridConfig
from recsparse.errors import InputError
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.predicted_cells import predicted_cells
from recsparse.models.protocol.recommender import NetworkRecommender
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import load_network, stored_tensor, with_prefix
from recsparse.models.protocol.validation import Validation
from recsparse.models.ratings.gibbs_sampler import spectral_features
from recsparse.models.ratings.rating_bayes import RatingBayes
from recsparse.models.ratings.rating_bias import RatingBias
from recsparse.models.ratings.rating_grid_network import (
    HiddenRatings,
    RatingGridNetwork,
    TrainingRatings,
    rating_cells,
)
from recsparse.models.ratings.rating_model import RatingModel, with_values

logger = logging.getLogger(__name__)


class RatingGrid(RatingModel, NetworkRecommender, HasItemVectors):
    """The weighted mean of a network's ratings and those of `RatingBayes`.

    Both are learned apart. The network's weight is the one of least squared error on the validation
    ratings.
    """

    kind: ClassVar[str] = "rating_grid"
    config: RatingGridConfig
    network: RatingGridNetwork
    bayes: RatingBayes | None = None
    network_weight: float = 1.0

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "RatingGrid":
        """Train the network, sample the factors, and find the weight of each.

        Args:
            interactions: Users × items, the ratings.
            context: `trainer` trains the network; `validation` gives the weight, and without it the
                configured one is taken.

        Returns:
            The fitted model itself.

        Raises:
            InputError: If `trainer` is missing, or nothing can be learned from the ratings.
        """
        ratings = self._start_fit(interactions)
        config = self.config
        self.bayes, self.network_weight = None, 1.0
        self.bias = RatingBias(config.bias).fit(ratings)
        data = self._training_ratings(ratings)
        features = spectral_features(ratings, config.spectral_features, context.seed)
        torch.manual_seed(context.seed)
        self.network = RatingGridNetwork(config, features, (self.lowest, self.highest))
        self._train(HiddenRatings(self.network, data, config), context)
        if config.bayes is not None:
            bayes = RatingBayes(config.bayes).fit(ratings, context)
            self.network_weight = self._best_weight(bayes, context.validation)
            self.bayes = bayes
        return self

    @override
    def settled(self) -> RatingGridConfig:
        """Return the configuration with the best number of epochs and the network's weight."""
        settled: RatingGridConfig = super().settled()
        if self.bayes is None:
            return settled
        return settled.model_copy(update={"network_weight": self.network_weight})

    def _training_ratings(self, ratings: csr_matrix) -> TrainingRatings:
        above_item = self._above_item(ratings)
        self.spread = float(above_item.std(dtype=np.float64)) or 1.0
        # A rating's own part in the mean of its item would give it away.
        count = ratings.getnnz(axis=0) + self.config.bias.item_shrinkage
        user = np.repeat(self.bias.user_bias(ratings), np.diff(ratings.indptr))
        bias, others = self.bias.item_bias.numpy()[ratings.indices], count[ratings.indices]
        own = ratings.data - self.bias.mean - user
        without = np.where(others > 1, (bias * others - own) / np.maximum(others - 1, 1e-6), 0.0)
        values = (above_item / self.spread, (above_item + bias - without) / self.spread)
        return TrainingRatings(ratings, *(with_values(ratings, each) for each in values))

    def _above_item(self, ratings: csr_matrix) -> np.ndarray:
        above: np.ndarray = ratings.data - self.bias.mean
        return above - self.bias.item_bias.numpy()[ratings.indices]

    def _best_weight(self, bayes: RatingBayes, validation: Validation | None) -> float:
        """Return the network's weight between 0 and 1 of least squared error."""
        if validation is None:
            return self.config.network_weight
        network, other = (
            predicted_cells(model, validation.history, validation.targets)
            for model in (self, bayes)
        )
        step, wanted = network - other, validation.targets.data - other
        weight = float(np.clip(step @ wanted / max(step @ step, 1e-12), 0.0, 1.0))
        logger.info("weight of the network: %.3f", weight)
        return weight

    def _predict(self, history: csr_matrix) -> Float[Tensor, "b m"]:
        predicted = self._network_ratings(history)
        if self.bayes is None:
            return predicted
        # Both within the range, as their weights were found.
        predicted = predicted.clamp(self.lowest, self.highest)
        other = self.bayes.score_batch(history)
        return other + self.network_weight * (predicted - other)

    def _network_ratings(self, history: csr_matrix) -> Float[Tensor, "b m"]:
        self.network.eval()
        above_item = self._above_item(history) / self.spread
        cells = rating_cells(history, with_values(history, above_item))
        with torch.inference_mode():
            users, items = self.network(cells.to(self.network.features.device))
            # In float64, since a matrix product may round the sums of equal rows differently.
            above = users.cpu().double() @ items.cpu().double().T
        return self.bias.mean + self.bias.item_bias + self.spread * above.clone()

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The vectors that the network makes of the items' features, without the deviations."""
        vectors: Tensor = self.network.to_item(self.network.features)[:, :-1]
        return vectors.detach().cpu()

    @override
    def state(self) -> dict[str, Tensor]:
        """The network's weights, the deviations, the samples of the factors, the weight."""
        bayes = {} if self.bayes is None else self.bayes.state()
        return {
            **{f"network.{name}": value for name, value in self.network.state_dict().items()},
            **{f"bias.{name}": value for name, value in self.bias.state().items()},
            **{f"bayes.{name}": value for name, value in bayes.items()},
            "numbers": torch.tensor([self.spread, self.network_weight], dtype=torch.float64),
            "range": self._range(),
        }

    @classmethod
    @override
    def from_state(cls, config: RatingGridConfig, state: Mapping[str, Tensor]) -> "RatingGrid":
        model, network = cls(config), with_prefix(state, "network.")
        model._set_range(state)
        limits = model.lowest, model.highest
        features = stored_tensor(network, "features", None, None)
        model.network = RatingGridNetwork(config, features, limits)
        load_network(model.network, network)
        model.bias = RatingBias.from_state(config.bias, with_prefix(state, "bias."))
        if config.bayes is not None:
            model.bayes = RatingBayes.from_state(config.bayes, with_prefix(state, "bayes."))
        numbers = stored_tensor(state, "numbers", 2, dtype=torch.float64)
        model.spread, model.network_weight = numbers.tolist()
        model.num_items = len(features)
        for part in filter(None, (model.bias, model.bayes)):
            if part.num_items != model.num_items:
                raise InputError(
                    f"the part {part.kind} must rate {model.num_items} items, but rates "
                    f"{part.num_items}"
                )
        return model
