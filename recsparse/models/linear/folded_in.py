"""Models that fold users in by a ridge regression onto the vectors of the items."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import IALSConfig
from recsparse.models.linear.als import half_step, row_blocks, row_systems
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.reasons import Contributions, HasReasons, listed_products
from recsparse.models.protocol.score_vectors import ScoresByVectors, with_bias, with_one
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.sparse.gram import segment_gram


class Folding(NamedTuple):
    """What users are folded in by.

    Attributes:
        vectors: One per item.
        ridge: Weight of empty cells and regularisation, for `half_step`.
        bias: One number per item, which is added to the products; None for zeros.
    """

    vectors: Float[Tensor, "m d"]
    ridge: IALSConfig
    bias: Float[Tensor, " m"] | None = None


class FoldedIn(HasItemVectors, HasReasons, ScoresByVectors):
    """A model whose scores are the products of `half_step` with the item vectors, plus a bias."""

    @abstractmethod
    def folding(self) -> Folding:
        """Return what users are folded in by.

        Returns:
            The vectors and the settings.
        """

    @override
    def user_vectors(
        self, history: csr_matrix, times: csr_matrix | None = None, users: Features | None = None
    ) -> Float[Tensor, "b d"]:
        """Solutions of the ridge regressions, and a 1 for the biases of the items."""
        vectors, ridge, bias = self.folding()
        found = half_step(csr_matrix(history, dtype=vectors.numpy().dtype), vectors, ridge)
        return found if bias is None else with_one(found)

    @override
    def item_vectors(self) -> Float[Tensor, "m d"]:
        """The item vectors, with the biases where there are any."""
        vectors, _, bias = self.folding()
        return vectors if bias is None else with_bias(vectors, bias)

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The item vectors, without the biases."""
        return self.folding().vectors

    @override
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """In closed form: cell i adds `w_i q_j A^-1 q_i` to the score of item j.

        A user's vector is `A^-1 sum_i w_i q_i` (Hu et al. 2008,
        https://doi.org/10.1109/ICDM.2008.22, section 5). The matrix A depends on the cells, too:
        without one of them, the score would not be less by just that much.
        """
        vectors, ridge, bias = self.folding()
        cells = ridge_contributions(history, vectors, ridge, vectors, listed)
        rest = torch.zeros(listed.shape) if bias is None else bias[listed]
        return Contributions.whole(cells, rest)


def ridge_contributions(
    history: csr_matrix,
    vectors: Float[Tensor, "m d"],
    ridge: IALSConfig,
    wanted: Float[Tensor, "n d"],
    listed: Int[Tensor, "b k"],
) -> Float[Tensor, "n_cells k"]:
    """Say what each cell adds to the products of `half_step` with some vectors.

    Args:
        history: One row of interactions per user.
        vectors: Those of the items, onto which the rows are regressed.
        ridge: Weight of empty cells and regularisation.
        wanted: The vectors that the rows are multiplied by, of items that may be listed.
        listed: Items of each user.

    Returns:
        `w_i v_j A^-1 q_i` of each cell i and listed item j.
    """
    history = csr_matrix(history, dtype=vectors.numpy().dtype)
    prior_gram = (ridge.unobserved_weight or 0.0) * (vectors.T @ vectors)
    cells = [vectors.new_zeros(0, listed.shape[1])]
    cells += [
        _products(history[some], vectors, ridge, prior_gram, wanted[listed[some]])
        for some in row_blocks(history, vectors)
    ]
    return torch.cat(cells)


def _products(
    rows: csr_matrix,
    vectors: Float[Tensor, "m d"],
    ridge: IALSConfig,
    prior_gram: Float[Tensor, "d d"],
    wanted: Float[Tensor, "b k d"],
) -> Float[Tensor, "n_cells k"]:
    feats, weights, row_ptr, shrinkage = row_systems(rows, vectors, ridge)
    left = segment_gram(feats, weights, row_ptr).add_(prior_gram)
    left.diagonal(dim1=1, dim2=2).add_(shrinkage.unsqueeze(1))
    factor = torch.linalg.cholesky(left)
    solved = torch.cholesky_solve(wanted.transpose(1, 2), factor).transpose(1, 2)
    # As if each listed item of each row were one of its own.
    flat = solved.flatten(0, 1)
    place = torch.arange(len(flat)).view(wanted.shape[:2])
    return weights.unsqueeze(1) * listed_products(vectors, flat, rows, place)
