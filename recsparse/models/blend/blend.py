"""BlendRecommender: several models' scores added, with weights found on validation."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.models import BlendConfig, PartConfig
from recsparse.errors import InputError
from recsparse.heap import trim_heap
from recsparse.models.blend.blended_parts import BlendedParts
from recsparse.models.blend.blended_users import BlendedUsers
from recsparse.models.blend.default_parts import default_parts
from recsparse.models.blend.warm_parts import fitted_parts, start_of_part
from recsparse.models.blend.weights import best_weights, sampled_users, standardised
from recsparse.models.content.cosines import COMPARED
from recsparse.models.linear.sparse_ease import pairs_of_items
from recsparse.models.protocol.cold_scorer import ColdScorer
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.stored_arrays import stored_tensor
from recsparse.models.protocol.user_reader import scores_of
from recsparse.models.registry import model_class

logger = logging.getLogger(__name__)


class BlendRecommender(Recommender, BlendedUsers, BlendedParts):
    """The weighted sum of the scores of several models, its parts.

    Each part is fitted alone. A part's scores of a user are brought to mean 0 and standard
    deviation 1 over the items before they are weighted, since models speak in different units. The
    weights are found on the validation users, one part after the other, the best of a few values
    each; parts of weight 0 are dropped, but for those that can rank new items by their features,
    which have weights of their own for that.

    Args:
        config: The model's section of the configuration; made of the settings where there is none.
        **settings: Those settings of the section that are not to be its defaults, by name.

    Attributes:
        parts: The fitted parts.
        weights: What each counts.
        new_weights: What each counts on items without a history; 0 for parts that cannot score
            them.
    """

    kind: ClassVar[str] = "blend"
    config: BlendConfig

    def __init__(self, config: BlendConfig | None = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.parts: list[Recommender] = []
        self.weights: list[float] = []
        self.new_weights: list[float] = []

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "BlendRecommender":
        """Fit all parts, then find their weights.

        Args:
            interactions: Users × items, positive weights.
            context: What the parts use; without `validation` all parts weigh the same. A part goes
                on from that of `warm_start` with its configuration, however that was trained.

        Returns:
            The fitted model itself.

        Raises:
            InputError: If a part cannot be fitted, or nothing can be learned from the interactions.
        """
        interactions = check_interactions(interactions)
        features, context = self._features(context), self.with_users_of_parts(context)
        validation = context.validation
        configs = self.config.parts
        if configs is None:
            configs = default_parts(
                interactions.shape[1],
                context.times is not None,
                features is not None and features.has(*COMPARED),
                pairs_of_items(interactions),
                validation is None or validation.looks_ahead,
                interactions.shape[0],
                interactions.nnz / interactions.shape[1],
            )
        parts: list[Recommender] = []
        fitted = fitted_parts(context.warm_start)
        for number, config in enumerate(configs):
            own = replace(
                context,
                item_features=features,
                seed=context.seed + number,
                training_seed=context.seed,
                network=f"{number}_{config.kind}",
                warm_start=start_of_part(fitted, config, configs),
            )
            with context.reporter.task(f"part {number + 1} of {len(configs)}, {config.kind}"):
                part = _twin(parts, config) or model_class(config.kind)(config).fit(
                    interactions, own
                )
            parts.append(part)
            trim_heap()
        weights = [*(self.config.weights or [1.0] * len(parts))]
        if self.config.weights is None and validation is not None and len(parts) > 1:
            with context.reporter.task("weighing the parts"):
                weights = best_weights(parts, sampled_users(validation, context.seed))
        names = [part.kind for part in parts]
        logger.info("weights of the parts: %s", [*zip(names, weights, strict=True)])
        self.config = self.config.model_copy(update={"parts": tuple(configs)})
        self.num_items = interactions.shape[1]
        self.parts, self.weights = parts, weights
        self.new_weights = [*(self.config.new_weights or _new_weights(parts, weights))]
        is_open = self.config.new_weights is None
        self._leave(
            [
                weight > 0 or new > 0 or (is_open and isinstance(part, ColdScorer))
                for part, weight, new in zip(parts, weights, self.new_weights, strict=True)
            ]
        )
        self.fit_prior(interactions, context)
        return self

    def _leave(self, is_useful: Sequence[bool]) -> None:
        useful = [number for number, is_one in enumerate(is_useful) if is_one]
        self.parts = [self.parts[number] for number in useful]
        self.weights = [self.weights[number] for number in useful]
        self.new_weights = [self.new_weights[number] for number in useful]
        configs = self.config.parts or ()
        chosen: dict[str, Any] = {"parts": tuple(configs[number] for number in useful)}
        if self.config.weights is not None:
            chosen["weights"] = tuple(self.weights)
        if self.config.new_weights is not None:
            chosen["new_weights"] = tuple(self.new_weights)
        self.config = self.config.model_copy(update=chosen)

    @override
    def readers(self) -> list[ColdScorer]:
        return [part for part in self.parts if isinstance(part, ColdScorer)]

    @override
    def weighted_readers(self) -> list[tuple[ColdScorer, float]]:
        both = zip(self.parts, self.new_weights, strict=True)
        return [(part, weight) for part, weight in both if isinstance(part, ColdScorer)]

    @override
    def weigh_readers(self, weights: Sequence[float]) -> None:
        """Parts that count nothing, on known items and on new ones, are dropped."""
        readers = [isinstance(part, ColdScorer) for part in self.parts]
        own = iter(weights)
        self.new_weights = [next(own) if is_reader else 0.0 for is_reader in readers]
        self._leave([max(both) > 0 for both in zip(self.weights, self.new_weights, strict=True)])

    def _features(self, context: FitContext) -> Features | None:
        features = context.item_features
        if features is None or not self.config.features:
            return None
        return features.chosen(self.config.features)

    @override
    def continues(self) -> bool:
        return any(part.continues() for part in self.parts)

    @override
    def settled(self) -> BlendConfig:
        """Return the configuration with the weights of the parts, and each part's own choices."""
        parts = tuple(part.settled() for part in self.parts)
        weights = {"weights": tuple(self.weights), "new_weights": tuple(self.new_weights)}
        found = {"parts": parts, **weights, "prior_rows": self.prior_rows}
        return self.config.model_copy(update=found)

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Weighted sums of the parts' standardised scores."""
        return self.scores_by_parts(history, times, None)

    @override
    def scores_by_parts(
        self, history: csr_matrix, times: csr_matrix | None, users: Features | None
    ) -> Float[Tensor, "b m"]:
        history = self._checked_history(history)
        total = torch.zeros(history.shape)
        for part, weight in zip(self.parts, self.weights, strict=True):
            if weight:
                total.add_(standardised(scores_of(part, history, times, users)), alpha=weight)
        return self.mixed_with_prior(total, history, times, users)

    @override
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, items: Features
    ) -> Float[Tensor, "b cold"]:
        """Weighted sums of the scores of the parts that read features, each in its deviations."""
        return self.score_with_new(history, times, items)[1]

    @override
    def score_with_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        items: Features,
        users: Features | None = None,
    ) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b new"]]:
        history, users = self._checked_history(history), self.users_of_parts(users)
        if not any(self.new_weights):
            raise InputError(
                "a blend scores items without a history by parts that read features, but has only "
                f"{[part.kind for part in self.parts]}; fit it on a dataset with features of "
                "items, or name such a part in model.parts, as content_knn"
            )
        known = torch.zeros(history.shape)
        new = torch.zeros(history.shape[0], items.num_ids)
        for part, *weights in zip(self.parts, self.weights, self.new_weights, strict=True):
            if weights[1] and isinstance(part, ColdScorer):
                scores, cold = part.score_with_new(history, times, items, users)
                new.add_(cold, alpha=weights[1])
            else:
                scores = scores_of(part, history, times, users)
            if weights[0]:
                known.add_(standardised(scores), alpha=weights[0])
        return self.mixed_with_prior(known, history, times, users), new

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the parts' states and weights."""
        state = {"weights": torch.tensor(self.weights, dtype=torch.float64), **self.prior_state()}
        if any(self.new_weights):
            state["new_weights"] = torch.tensor(self.new_weights, dtype=torch.float64)
        for number, part in enumerate(self.parts):
            if _twin(self.parts[:number], part.config) is None:
                state |= {f"parts.{number}.{name}": value for name, value in part.state().items()}
        return state

    @classmethod
    @override
    def from_state(cls, config: BlendConfig, state: Mapping[str, Tensor]) -> "BlendRecommender":
        model = cls(config)
        weights = stored_tensor(state, "weights", None, dtype=torch.float64)
        if config.parts is None or not 0 < len(config.parts) == len(weights):
            raise InputError(
                "a fitted blend must name its parts in model.parts, one for each of "
                f"{len(weights)} weights, but got {config.parts}; use the fitted model's own config"
            )
        model.weights = weights.tolist()
        model.take_prior(state)
        for number, part in enumerate(config.parts):
            prefix = f"parts.{number}."
            own = {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix)
            }
            twin = _twin(model.parts, part)
            model.parts.append(twin or model_class(part.kind).from_state(part, own))
        model.new_weights = [0.0] * len(weights)
        if "new_weights" in state:
            found = stored_tensor(state, "new_weights", len(weights), dtype=torch.float64)
            model.new_weights = found.tolist()
        model.num_items = model.parts[0].num_items
        sizes = [part.num_items for part in model.parts]
        if set(sizes) != {model.num_items}:
            raise InputError(f"all parts of a blend must score the same items, but score {sizes}")
        return model


def _twin(parts: Sequence[Recommender], config: PartConfig) -> Recommender | None:
    """Return what one of the parts is with other settings, where only its scoring differs."""
    # Parts of the very same settings are fitted apart, with seeds of their own.
    twins = (part.with_settings(config) for part in parts if part.config != config)
    return next((twin for twin in twins if twin is not None), None)


def _new_weights(parts: Sequence[Recommender], weights: Sequence[float]) -> list[float]:
    """Return what each part counts on new items as it counts on known ones, where it does."""
    readers = [isinstance(part, ColdScorer) for part in parts]
    own = [weight if is_reader else 0.0 for weight, is_reader in zip(weights, readers, strict=True)]
    return own if any(own) else [float(is_reader) for is_reader in readers]
