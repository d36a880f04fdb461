"""SparseGridRecommender: a network on the sparse user-item grid, plus a linear term."""

import logging
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import IALSConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.errors import InputError
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.content.wanted_features import encoder_of, needs_features
from recsparse.models.histories.sequences import times_of_cells
from recsparse.models.linear.als import als_factors, with_empty_weight
from recsparse.models.linear.ease import EASE
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.objective import HiddenCells
from recsparse.models.protocol.reasons import Contributions, HasReasons, rows_of_cells
from recsparse.models.protocol.recommender import NetworkRecommender, check_interactions
from recsparse.models.protocol.score_vectors import ScoresByVectors, with_bias, with_one
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import load_network, stored_tensor, with_prefix
from recsparse.models.protocol.validation import Validation
from recsparse.models.protocol.warm_start import take_over
from recsparse.models.row_networks.grid_reasons import pooled_contributions
from recsparse.models.row_networks.sparse_grid_network import SparseGridNetwork
from recsparse.sparse.tensor import SparseTensor

logger = logging.getLogger(__name__)

# Tried weights of the linear term, relative to the one that gives both terms the same spread.
LINEAR_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
SPREAD_ROWS = 1000
_PER_ITEM = ("output_vectors.weight", "item_bias", "item_log_weight")


class SparseGridRecommender(NetworkRecommender, HasItemVectors, HasReasons, ScoresByVectors):
    """A network on the sparse user-item grid plus EASE, weighted on validation.

    The network's score and the linear term are learned apart and added: training the network
    through the linear term was measured to be worse. The item vectors start from iALS.
    """

    kind: ClassVar[str] = "sparse_grid"
    config: SparseGridConfig
    network: SparseGridNetwork

    linear: EASE | None = None
    linear_weight: float = 0.0

    @override
    def needs(self) -> Needs:
        linear = {} if self.config.linear is None else EASE(self.config.linear).needs()
        linear = {need: f"linear.{setting}" for need, setting in linear.items()}
        return {**needs_features(self.config), **linear}

    @override
    def continues(self) -> bool:
        return not self.config.features  # the words of another vocabulary would be others

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "SparseGridRecommender":
        """Fit the item vectors, train the network, fit the linear term, choose its weight.

        Args:
            interactions: Users × items, positive weights.
            context: `trainer` trains the network, from that of `warm_start` on; `validation`
                chooses the linear weight, and without it both terms get equal spread over the
                training rows.

        Returns:
            The fitted model itself.

        Raises:
            InputError: If `trainer` is missing, if features are wanted that the context lacks, or
                if nothing can be learned from the interactions.
        """
        interactions = check_interactions(interactions)
        features = encoder_of(self, context, interactions.shape[1], self.config.factors)
        self._start(interactions, features, context)
        config = self.config
        self._train(HiddenCells.configured(self.network, interactions, self.config), context)
        if config.linear is None:
            return self
        with context.reporter.task("linear term"):
            self.linear = EASE(config.linear).fit(interactions, context)
        if config.linear_weight is not None:
            self.linear_weight = config.linear_weight
            return self
        with context.reporter.task("weighing the linear term"):
            times = times_of_cells(interactions, context.times)
            equal = self._equal_spread_weight(
                self.linear,
                interactions[:SPREAD_ROWS],
                None if times is None else times[:SPREAD_ROWS],
            )
            judge = context.validation
            self.linear_weight = equal if judge is None else self._best_weight(equal, judge)
        return self

    @override
    def settled(self) -> SparseGridConfig:
        """Return the configuration with the best number of epochs and weight of the linear term."""
        settled: SparseGridConfig = super().settled()
        return settled.model_copy(update={"linear_weight": self.linear_weight})

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The network's scores plus the weighted ones of the linear term."""
        history = self._checked_history(history)
        scores = self._network_scores(history)
        if self.linear is None or self.linear_weight == 0:
            return scores
        return scores + self.linear_weight * self.linear.score_batch(history, times)

    @override
    def is_inner_product(self) -> bool:
        """Without the linear term they are."""
        return self.linear is None or self.linear_weight == 0

    @override
    def user_vectors(
        self, history: csr_matrix, times: csr_matrix | None = None, users: Features | None = None
    ) -> Float[Tensor, "b d"]:
        """What the network makes of each row, and a 1 for the biases of the items."""
        cells = SparseTensor.from_scipy(self._checked_history(history))
        self.network.eval()
        with torch.inference_mode():
            vectors = self.network.row_vectors(cells.to(self.network.item_bias.device))
        return with_one(vectors.cpu()).clone()

    @override
    def item_vectors(self) -> Float[Tensor, "m d"]:
        """The vectors that the network scores by, with the biases."""
        return with_bias(self.vectors_of_items(), self.network.item_bias.detach().cpu())

    @property
    def item_factors(self) -> Float[Tensor, "m d"]:
        """The item vectors of iALS."""
        return self.network.item_vectors

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The trained vectors that the network scores by; the linear term does not count."""
        every = torch.arange(self.num_items, device=self.network.item_bias.device)
        vectors, _ = self.network.eval().items(every)
        return vectors.detach().cpu()

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """Those to the ridge regression and the linear term; the network's MLP is not explained.

        Explained is what these two are of the score without the bias, in absolute size.
        """
        history, row = self._checked_history(history), rows_of_cells(history)
        cells = pooled_contributions(self.network, history, listed)
        rest = self._network_scores(history).gather(1, listed)
        pooled = torch.zeros(listed.shape).index_add(0, row, cells)
        other = rest - pooled - self.network.item_bias.detach().cpu()[listed]
        size, whole = pooled.abs(), pooled.abs() + other.abs()
        if self.linear is not None and self.linear_weight:
            added = self.linear_weight * self.linear.contributions(history, times, listed).cells
            linear = torch.zeros(listed.shape).index_add(0, row, added).abs()
            cells, size, whole = cells + added, size + linear, whole + linear
        return Contributions(cells, rest - pooled, size / whole.clamp(min=1e-30))

    @override
    def state(self) -> dict[str, Tensor]:
        """The network's weights, the linear term's state and its weight."""
        network = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        linear = {} if self.linear is None else self.linear.state()
        return {
            **network,
            **{f"linear.{name}": value for name, value in linear.items()},
            "linear_weight": torch.tensor(self.linear_weight),
        }

    @classmethod
    @override
    def from_state(
        cls, config: SparseGridConfig, state: Mapping[str, Tensor]
    ) -> "SparseGridRecommender":
        model = cls(config)
        network = with_prefix(state, "network.")
        vectors = stored_tensor(network, "item_vectors", None, config.factors)
        model.num_items = len(vectors)
        features = FeatureEncoder.stored(network, model.num_items, config.factors)
        model.network = SparseGridNetwork(config, vectors, features)
        load_network(model.network, network)
        linear = with_prefix(state, "linear.")
        if config.linear is not None and linear:
            model.linear = EASE.from_state(config.linear, linear)
            if model.linear.num_items != model.num_items:
                raise InputError(
                    f"the linear part must score {model.num_items} items, but scores "
                    f"{model.linear.num_items}"
                )
        model.linear_weight = float(stored_tensor(state, "linear_weight"))
        if model.linear is None and model.linear_weight != 0:
            raise InputError(f"a linear part of weight {model.linear_weight} must be in the state")
        return model

    def _start(
        self, interactions: csr_matrix, features: FeatureEncoder | None, context: FitContext
    ) -> None:
        config = with_empty_weight(self.config, interactions)
        # The words of another vocabulary would be others.
        warm_start = context.warm_start if features is None else None
        factors = IALSConfig(
            factors=config.factors,
            unobserved_weight=config.unobserved_weight,
            regularisation=config.regularisation,
            iterations=config.item_iterations,
        )
        _, item_vectors = als_factors(
            interactions, factors, context.seed, warm_start, context.reporter
        )
        torch.manual_seed(context.seed)
        self.network = SparseGridNetwork(config, item_vectors, features)
        take_over(self.network, warm_start, _PER_ITEM)
        self.num_items = interactions.shape[1]
        self.linear, self.linear_weight = None, 0.0

    def _equal_spread_weight(
        self, linear: EASE, history: csr_matrix, times: csr_matrix | None
    ) -> float:
        """Return the weight at which both terms' scores have the same standard deviation."""
        spread = float(linear.score_batch(history, times).std(correction=0))
        return float(self._network_scores(history).std(correction=0)) / spread if spread else 0.0

    def _best_weight(self, equal: float, validation: Validation) -> float:
        quality: dict[float, float] = {}
        for share in LINEAR_SHARES:
            self.linear_weight = equal * share
            quality[self.linear_weight] = validation.quality(self)
        logger.info("validation by weight of the linear term: %s", quality)
        return max(quality, key=quality.__getitem__)

    def _network_scores(self, history: csr_matrix) -> Float[Tensor, "b m"]:
        self.network.eval()
        device = self.network.item_bias.device
        with torch.inference_mode():
            scores: Tensor = self.network(SparseTensor.from_scipy(history).to(device))
        return scores.cpu()
