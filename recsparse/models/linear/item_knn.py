"""ItemKNN: items like those that the user has."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, vstack
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import ItemKNNConfig
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.reasons import Contributions, HasReasons, listed_weights
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.stored_arrays import stored_csr

# Items whose similarities to all others are held at once.
_ITEMS_AT_ONCE = 1024


class ItemKNN(Recommender, HasSimilarItems, HasReasons):
    """Nearest neighbours by a shrunk, asymmetric cosine.

    `sim(i, j) = x_i x_j / (|x_i|^2a |x_j|^(2 - 2a) + shrinkage)` over the columns of the
    interactions, where the row of a user with n items is scaled by `n^-user_exponent`. With
    `a = 1/2` this is the cosine of Sarwar et al. 2001 (https://doi.org/10.1145/371920.372071); a
    smaller `a` favours popular items (Aiolli 2013, https://doi.org/10.1145/2507157.2507189, section
    3.1); the shrinkage is that of Bell and Koren 2007. Each item keeps its nearest neighbours, and
    a user's score of item i is the sum of its similarities to the items of the user's row, times
    their weights.
    """

    kind: ClassVar[str] = "item_knn"
    config: ItemKNNConfig

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "ItemKNN":
        """Find each item's neighbours."""
        interactions = check_interactions(interactions)
        items_of_user = np.maximum(interactions.getnnz(axis=1), 1).astype(np.float64)
        scaled = diags_array(items_of_user**-self.config.user_exponent) @ interactions
        by_item = csr_matrix(scaled.T)
        norms = np.asarray(by_item.multiply(by_item).sum(axis=1)).ravel()
        blocks = []
        with context.reporter.task("finding neighbours", len(norms)) as advance:
            for start in range(0, len(norms), _ITEMS_AT_ONCE):
                items = np.arange(start, min(start + _ITEMS_AT_ONCE, len(norms)))
                blocks.append(self._neighbours(by_item, norms, items))
                advance(start + len(items))
        # Row i holds the neighbours of item i; a user's row meets them in its columns.
        self.similarity = csr_matrix(vstack(blocks).T, dtype=np.float32)
        self.num_items = len(norms)
        return self

    def _neighbours(self, by_item: csr_matrix, norms: np.ndarray, items: np.ndarray) -> csr_matrix:
        similarity = (by_item[items] @ by_item.T).tocsr()
        row = np.repeat(items, np.diff(similarity.indptr))
        own, other = self.config.asymmetry, 1 - self.config.asymmetry
        scale = norms[row] ** own * norms[similarity.indices] ** other + self.config.shrinkage
        similarity.data = np.where(row == similarity.indices, 0.0, similarity.data / scale)
        similarity.eliminate_zeros()
        return _largest_of_rows(similarity, self.config.neighbours)

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Sums of similarities; 0 for an item that is no neighbour of any in the row."""
        scores = self._checked_history(history) @ self.similarity
        return torch.from_numpy(scores.toarray())

    @override
    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """The shrunk cosines to an item's own neighbours, symmetric where `asymmetry` is 1/2."""
        return torch.from_numpy(self.similarity[:, items].toarray().T.copy())

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """The similarities, times the weights of the cells."""
        cells = listed_weights(self.similarity, self._checked_history(history), listed)
        return Contributions.whole(cells, torch.zeros(listed.shape))

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the similarities as the parts of a CSR matrix."""
        return {
            "indptr": torch.from_numpy(self.similarity.indptr).long(),
            "indices": torch.from_numpy(self.similarity.indices).long(),
            "values": torch.from_numpy(self.similarity.data),
        }

    @classmethod
    @override
    def from_state(cls, config: ItemKNNConfig, state: Mapping[str, Tensor]) -> "ItemKNN":
        model = cls(config)
        model.similarity = stored_csr(state, None, None, values="values")
        model.num_items = model.similarity.shape[0]
        return model


def _largest_of_rows(matrix: csr_matrix, count: int) -> csr_matrix:
    """Keep the largest entries of each row; of equal ones, those of the lower column."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, row))
    rank = np.arange(len(row)) - matrix.indptr[row]
    kept = order[rank < count]
    return csr_matrix((matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape)
