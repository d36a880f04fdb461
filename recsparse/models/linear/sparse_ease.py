"""SparseEASE: EASE on each item's neighbours, for catalogues that outgrow a dense matrix."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import SparseEASEConfig
from recsparse.errors import InputError
from recsparse.models.histories.recency_weights import recency_weighted
from recsparse.models.linear.ease import ease_diagonal
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.reasons import Contributions, HasReasons, listed_weights
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.stored_arrays import stored_csr

# Numbers in the k × k systems that are solved at once.
_SYSTEM_SIZE = 2**22


class SparseEASE(Recommender, HasSimilarItems, HasReasons):
    """The least-squares map from each item's nearest items to it.

    EASE (Steck 2019, https://arxiv.org/abs/1905.03375) finds the column `b` that minimises
    `|x_j - X b|^2 + b^T L b` with `b_j = 0`; here `b` may differ from zero at the `neighbours`
    items with the highest cosine to j alone, as in SLIM with feature selection (Ning and Karypis
    2011, https://doi.org/10.1109/ICDM.2011.134, section IV.B). With all other items as neighbours
    it is EASE. Memory grows with the pairs of items that occur together, and with items ×
    neighbours.
    """

    kind: ClassVar[str] = "sparse_ease"
    scoring_settings = frozenset({"recency_decay", "recency_floor"})
    config: SparseEASEConfig

    @override
    def needs(self) -> Needs:
        return {"times": "recency_decay"} if self.config.recency_decay < 1 else {}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "SparseEASE":
        """Solve for each item's weights.

        Args:
            interactions: Users × items, positive weights.
            context: The reporter alone.

        Returns:
            The model itself.

        Raises:
            InputError: If more pairs of items occur together than `most_pairs`.
        """
        interactions = check_interactions(interactions)
        self._refuse_too_many(interactions)
        gram = csr_matrix(interactions.T @ interactions, dtype=np.float32)
        count = interactions.getnnz(axis=0)
        diagonal = ease_diagonal(count, self.config.regularisation, self.config.popularity_exponent)
        reporter = context.reporter
        with reporter.task("finding neighbours"):
            neighbours = nearest_by_cosine(gram, self.config.neighbours)
        with reporter.task("solving for the weights", gram.shape[0]) as advance:
            self.weights = solved_columns(gram, neighbours, diagonal, advance)
        self.num_items = interactions.shape[1]
        return self

    def _refuse_too_many(self, interactions: csr_matrix) -> None:
        pairs = pairs_of_items(interactions)
        if pairs > self.config.most_pairs:
            raise InputError(
                f"sparse_ease must have at most most_pairs = {self.config.most_pairs} pairs of "
                f"items in one row, but has {pairs}, for which it may need {8 * pairs / 1e9:.0f} "
                "GB; choose model.kind gf_cf or ials, or raise most_pairs"
            )

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The rows times the item-item weights; times count where `recency_decay` is below 1."""
        return torch.from_numpy((self._weighted(history, times) @ self.weights).toarray())

    def _weighted(self, history: csr_matrix, times: csr_matrix | None) -> csr_matrix:
        history = self._checked_history(history)
        decay, floor = self.config.recency_decay, self.config.recency_floor
        return recency_weighted(history, times, decay, floor) if decay < 1 else history

    @override
    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """Means of what each of two items adds to the score of the other, which are symmetric."""
        both = self.weights[items] + self.weights[:, items].T
        return torch.from_numpy(both.toarray() / 2)

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """The item-item weights, times the weights of the cells."""
        cells = listed_weights(self.weights, self._weighted(history, times), listed)
        return Contributions.whole(cells, torch.zeros(listed.shape))

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the item-item weights."""
        return {
            "data": torch.from_numpy(self.weights.data),
            "indices": torch.from_numpy(self.weights.indices.astype(np.int32)),
            "indptr": torch.from_numpy(self.weights.indptr.astype(np.int64)),
        }

    @classmethod
    @override
    def from_state(cls, config: SparseEASEConfig, state: Mapping[str, Tensor]) -> "SparseEASE":
        model = cls(config)
        model.weights = stored_csr(state, None, None)
        model.num_items = model.weights.shape[0]
        return model


def pairs_of_items(interactions: csr_matrix) -> int:
    """Return how many pairs of items a matrix has in one row.

    Args:
        interactions: Users × items.

    Returns:
        The sum of the squared numbers of cells of the rows.
    """
    return int((interactions.getnnz(axis=1).astype(np.int64) ** 2).sum())


def nearest_by_cosine(gram: csr_matrix, most: int) -> list[np.ndarray]:
    """Return each item's neighbours, of equal cosines those with the lower index.

    Args:
        gram: Items × items, `X^T X`.
        most: Neighbours per item.

    Returns:
        Indices in increasing order, at most this many per item; items that never occur together
        with it are no neighbours.
    """
    norm = np.sqrt(np.maximum(gram.diagonal(), 1e-12))
    found = []
    for item in range(gram.shape[0]):
        row = slice(gram.indptr[item], gram.indptr[item + 1])
        others, cosine = gram.indices[row], gram.data[row] / norm[gram.indices[row]]
        is_other = others != item
        others, cosine = others[is_other], cosine[is_other]
        order = np.lexsort([others, -cosine])[:most]
        found.append(np.sort(others[order]))
    return found


def solved_columns(
    gram: csr_matrix,
    neighbours: list[np.ndarray],
    diagonal: np.ndarray,
    on_block: Callable[[int], None] | None = None,
) -> csr_matrix:
    """Solve the ridge regression of each item on its neighbours.

    Args:
        gram: Items × items, `X^T X`.
        neighbours: The items that may count for each item.
        diagonal: The regularisation of each item.
        on_block: Called with the number of items done.

    Returns:
        Items × items: column j holds the weights of item j's neighbours.
    """
    width = max((len(each) for each in neighbours), default=0)
    at_once = max(1, _SYSTEM_SIZE // max(width, 1) ** 2)
    values = []
    for start in range(0, len(neighbours), at_once):
        values += _solved(gram, start, neighbours[start : start + at_once], diagonal, width)
        if on_block is not None:
            on_block(len(values))
    row_ptr = np.concatenate([[0], np.cumsum([len(each) for each in neighbours])])
    columns = np.concatenate([*neighbours, np.empty(0, np.int64)])
    by_item = csr_matrix((np.concatenate([*values, np.empty(0, np.float32)]), columns, row_ptr),
                         shape=gram.shape)  # fmt: skip
    return csr_matrix(by_item.T, dtype=np.float32)


def _solved(
    gram: csr_matrix, start: int, neighbours: list[np.ndarray], diagonal: np.ndarray, width: int
) -> list[np.ndarray]:
    # Systems of fewer neighbours are filled up by the identity, whose solution is zero.
    systems = np.tile(np.eye(width), (len(neighbours), 1, 1))
    wanted = np.zeros((len(neighbours), width, 1))
    for number, near in enumerate(neighbours):
        size = len(near)
        rows = gram[near]
        systems[number, :size, :size] = rows[:, near].toarray()
        systems[number, range(size), range(size)] += diagonal[near]
        wanted[number, :size, 0] = rows[:, [start + number]].toarray()[:, 0]
    factor = torch.linalg.cholesky(torch.from_numpy(systems))
    solved = torch.cholesky_solve(torch.from_numpy(wanted), factor)[..., 0].numpy()
    return [
        row[: len(near)].astype(np.float32) for row, near in zip(solved, neighbours, strict=True)
    ]
