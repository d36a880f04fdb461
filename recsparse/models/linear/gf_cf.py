"""GF-CF: graph filters in closed form, a linear one and an ideal low-pass one."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix, dia_array, diags_array
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import GFCFConfig
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.reasons import Contributions, HasReasons, rows_of_cells
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import stored_csr, stored_tensor

# Power iterations of the randomised SVD; with fewer, the last singular vectors are not those of
# the matrix.
_POWER_ITERATIONS = 6
# Of the filter, which is never whole.
_COLUMNS_AT_ONCE = 256


class GFCF(Recommender, HasItemVectors, HasReasons):
    """Graph-filter collaborative filtering (Shen et al. 2021, https://arxiv.org/abs/2108.07567).

    With `R` the normalised interactions, `n_u^-1/2 x n_i^-1/2`, and `V` its first right singular
    vectors, a row `x` is filtered by `x (R^T R + a D^-1/2 V V^T D^1/2)`, where `D` holds the weight
    of each item (section 4.3). `R^T R` is never made: the row is multiplied by `R^T`, then by `R`,
    which therefore stays a part of the model.

    Two settings go beyond it. With `item_exponent` b the linear filter divides by `n_i^b`, relative
    to the mean `n_i`, in the place of the root. With `sharpening` t the scores `s` become
    `s - t s R^T R`, one Euler step of the sharpening process of Choi et al. 2023
    (https://arxiv.org/abs/2211.09324, section 3).
    """

    kind: ClassVar[str] = "gf_cf"
    scoring_settings = frozenset({"low_pass_weight", "item_exponent", "sharpening"})
    config: GFCFConfig

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "GFCF":
        """Normalise the interactions and find their first singular vectors.

        Args:
            interactions: Users × items, positive weights.
            context: The seed of the randomised SVD.

        Returns:
            The model itself.
        """
        interactions = check_interactions(interactions)
        by_user = np.maximum(np.asarray(interactions.sum(axis=1)).ravel(), 1e-12)
        by_item = np.maximum(column_sums(interactions).astype(np.float32), 1e-12)
        normalised = diags_array(by_user**-0.5) @ interactions @ diags_array(by_item**-0.5)
        self.normalised = csr_matrix(normalised, dtype=np.float32)
        rank = min(self.config.rank, *interactions.shape)
        with context.reporter.task("finding singular vectors"):
            # Imported here: it takes longer than to score with a model that is fitted.
            from sklearn.utils.extmath import randomized_svd

            _, _, vectors = randomized_svd(
                self.normalised, rank, n_iter=_POWER_ITERATIONS, random_state=context.seed
            )
        self.vectors = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))
        # Items without rows have no vector, whatever stands here for their number.
        self.item_weight = torch.from_numpy(by_item.astype(np.float32))
        self.num_items = interactions.shape[1]
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The filtered rows."""
        history = self._checked_history(history)
        # Users × rows of the batch: dense, since a row reaches most users over its items.
        scale = self._item_scale()
        reached = (self.normalised @ (scale @ history.T)).toarray()
        filtered = self._spread(reached)
        scaled = history @ diags_array(self.item_weight.numpy() ** -0.5)
        smooth = torch.from_numpy(csr_matrix(scaled, dtype=np.float32) @ self.vectors.numpy().T)
        low_pass = (smooth @ self.vectors) * self.item_weight.sqrt()
        scores = filtered + self.config.low_pass_weight * low_pass
        if self.config.sharpening > 0:
            again = self._spread(self.normalised @ (scale @ scores.numpy().T))
            scores = scores - self.config.sharpening * again
        return scores

    def _item_scale(self) -> dia_array:
        """Turn the root of the items' weights into the wanted power, relative to their mean."""
        weight = self.item_weight.numpy()
        return diags_array((weight / weight.mean()) ** (0.5 - self.config.item_exponent))

    def _spread(self, reached: np.ndarray) -> Float[Tensor, "b m"]:
        items = self._item_scale() @ (self.normalised.T @ reached)
        return torch.from_numpy(np.ascontiguousarray(items.T, dtype=np.float32))

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The items' entries in the first singular vectors."""
        return self.vectors.T

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """The filter's numbers from each item of the history to the listed ones."""
        history = self._checked_history(history)
        row, item = rows_of_cells(history), torch.from_numpy(history.indices).long()
        distinct, place = listed.unique(return_inverse=True)
        cells = torch.zeros(history.nnz, listed.shape[1])
        for start in range(0, len(distinct), _COLUMNS_AT_ONCE):
            columns = self._columns(distinct[start : start + _COLUMNS_AT_ONCE])
            within = place[row] - start
            cell, slot = ((within >= 0) & (within < columns.shape[1])).nonzero(as_tuple=True)
            cells[cell, slot] = columns[item[cell], within[cell, slot]]
        cells *= torch.from_numpy(history.data).unsqueeze(1)
        return Contributions.whole(cells, torch.zeros(listed.shape))

    def _columns(self, items: Int[Tensor, " n"]) -> Float[Tensor, "m n"]:
        """Return what each item adds to the scores of some."""
        cells = np.ones(len(items), np.float32), (items.numpy(), np.arange(len(items)))
        one = csr_matrix(cells, shape=(self.num_items, len(items)))
        scale = self._item_scale()
        linear = (scale @ (self.normalised.T @ (self.normalised @ (scale @ one)))).toarray()
        filtered = self._filtered_columns(linear, one.toarray())
        if self.config.sharpening > 0:
            again = self._spread(self.normalised @ (scale @ linear)).T.numpy()
            filtered -= self.config.sharpening * self._filtered_columns(again, linear)
        return torch.from_numpy(filtered)

    def _filtered_columns(self, linear: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Add the low-pass filter of some columns to the linear one of them."""
        vectors, root = self.vectors.numpy(), np.sqrt(self.item_weight.numpy())[:, None]
        low_pass = vectors.T @ (vectors @ (root * columns)) / root
        return np.asarray(linear + self.config.low_pass_weight * low_pass, dtype=np.float32)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the normalised interactions, the singular vectors and the items' weights."""
        return {
            "data": torch.from_numpy(self.normalised.data),
            "indices": torch.from_numpy(self.normalised.indices.astype(np.int64)),
            "indptr": torch.from_numpy(self.normalised.indptr.astype(np.int64)),
            "vectors": self.vectors,
            "item_weight": self.item_weight,
        }

    @classmethod
    @override
    def from_state(cls, config: GFCFConfig, state: Mapping[str, Tensor]) -> "GFCF":
        model = cls(config)
        model.item_weight = stored_tensor(state, "item_weight", None)
        model.num_items = len(model.item_weight)
        model.vectors = stored_tensor(state, "vectors", None, model.num_items)
        model.normalised = stored_csr(state, None, model.num_items)
        return model
