"""TextRidge: a ridge regression from an item's features to its iALS factors."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import TextRidgeConfig
from recsparse.models.content.wanted_features import wanted_features
from recsparse.models.linear.als import als_factors, half_step, with_empty_weight
from recsparse.models.linear.folded_in import FoldedIn, Folding, ridge_contributions
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.reasons import Contributions
from recsparse.models.protocol.reasons_of_new import HasReasonsForNew
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.stored_arrays import stored_number, stored_tensor

_ITERATIONS = 100
_TOLERANCE = 1e-4
_LARGEST = float(np.finfo(np.float32).max)


class TextRidge(Recommender, FoldedIn, HasReasonsForNew):
    """iALS whose factors a linear map of the features stands in for where an item has no history.

    The content-to-factor mapping of Gantner et al. 2010 (https://doi.org/10.1109/ICDM.2010.129),
    fitted by ridge regression. Items of the catalogue keep their own factors. A number of a new
    item counts as the nearest one of the catalogue where it is beyond these.
    """

    kind: ClassVar[str] = "text_ridge"
    config: TextRidgeConfig

    @override
    def needs(self) -> Needs:
        return {"item_features": "kind"}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "TextRidge":
        """Fit the factors, then the map from features to them.

        Args:
            interactions: Users × items, positive weights.
            context: The items' features, and the seed of the starting factors.

        Returns:
            The model itself.

        Raises:
            InputError: If there are no features of the items.
        """
        interactions = check_interactions(interactions)
        features = wanted_features(self, self.config, context, interactions.shape[1])
        self.solver = with_empty_weight(self.config.ials, interactions)
        _, self.item_factors = als_factors(
            interactions, self.solver, context.seed, reporter=context.reporter
        )
        columns = features.sparse(1.0), features.dense()
        weights = ridge_map(*columns, self.item_factors.numpy(), self.config.ridge)
        self.word_factors, self.range = torch.from_numpy(weights), _range_of(features)
        self.num_items = interactions.shape[1]
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Products of user and item factors."""
        history = self._checked_history(history)
        return half_step(history, self.item_factors, self.solver) @ self.item_factors.T

    @override
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, items: Features
    ) -> Float[Tensor, "b cold"]:
        """Products of user factors and the factors that follow from the features."""
        users = half_step(self._checked_history(history), self.item_factors, self.solver)
        return users @ self._factors_of(items).T

    @override
    def contributions_to_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        items: Features,
    ) -> Contributions:
        """In closed form, as those to known items, with the factors that follow from features."""
        history, factors = self._checked_history(history), self._factors_of(items)
        cells = ridge_contributions(history, self.item_factors, self.solver, factors, listed)
        return Contributions.whole(cells, torch.zeros(listed.shape))

    def _factors_of(self, items: Features) -> Float[Tensor, "n d"]:
        chosen = items.chosen(self.config.features)
        # A line says nothing of numbers beyond those that it was fitted on.
        columns = chosen.sparse(1.0), np.clip(chosen.dense(), *self.range.numpy())
        return torch.from_numpy(times_columns(*columns, self.word_factors.numpy()))

    @override
    def folding(self) -> Folding:
        return Folding(self.item_factors, self.solver)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the factors of items and of features, and the weight of an empty cell."""
        return {
            "item_factors": self.item_factors,
            "word_factors": self.word_factors,
            "range": self.range,
            "unobserved_weight": torch.tensor(self.solver.unobserved_weight, dtype=torch.float64),
        }

    @classmethod
    @override
    def from_state(cls, config: TextRidgeConfig, state: Mapping[str, Tensor]) -> "TextRidge":
        model = cls(config)
        model.item_factors = stored_tensor(state, "item_factors", None, config.ials.factors)
        model.word_factors = stored_tensor(state, "word_factors", None, config.ials.factors)
        model.range = torch.tensor([[-_LARGEST], [_LARGEST]])
        if "range" in state:  # not in older builds
            model.range = stored_tensor(state, "range", 2, None)
        weight = stored_number(state, "unobserved_weight")
        model.solver = config.ials.model_copy(update={"unobserved_weight": weight})
        model.num_items = len(model.item_factors)
        return model


def _range_of(features: Features) -> Float[Tensor, "2 columns"]:
    """Return the least and the largest value of each number, and no bounds for vectors."""
    bounds = [np.empty((2, 0), dtype=np.float32)]
    for group in features.groups:
        if group.kind == "numbers":
            values = np.asarray(group.values)
            bounds.append(np.stack([values.min(axis=0), values.max(axis=0)]))
        elif group.kind == "vectors":
            bounds.append(np.repeat([[-_LARGEST], [_LARGEST]], group.values.shape[1], axis=1))
    return torch.from_numpy(np.hstack(bounds).astype(np.float32))


def times_columns(sparse: csr_matrix, dense: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Multiply features by weights.

    Args:
        sparse: Items × columns.
        dense: Items × further columns.
        weights: All columns × d.

    Returns:
        Items × d, float32.
    """
    split = sparse.shape[1]
    return np.asarray(sparse @ weights[:split] + dense @ weights[split:], dtype=np.float32)


def ridge_map(
    sparse: csr_matrix, dense: np.ndarray, factors: np.ndarray, ridge: float
) -> np.ndarray:
    """Solve `(TᵀT + ridge I) W = Tᵀ V` by conjugate gradients, all columns at once.

    Args:
        sparse: The first columns of T, items × columns.
        dense: Its further columns.
        factors: V, items × d.
        ridge: At least 0.

    Returns:
        W, columns × d, float32.
    """
    width = sparse.shape[1] + dense.shape[1]
    solution = np.zeros((width, factors.shape[1]), dtype=np.float32)

    def transposed(values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(sparse.T @ values), dense.T @ values])

    residual = transposed(factors)
    direction = residual.copy()
    squares = (residual**2).sum(axis=0)
    enough = _TOLERANCE**2 * squares
    for _ in range(_ITERATIONS):
        if (squares <= enough).all():
            break
        product = transposed(times_columns(sparse, dense, direction)) + ridge * direction
        step = squares / np.maximum((direction * product).sum(axis=0), 1e-30)
        solution += step * direction
        residual -= step * product
        before, squares = squares, (residual**2).sum(axis=0)
        direction = residual + squares / np.maximum(before, 1e-30) * direction
    return solution
