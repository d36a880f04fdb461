"""How like items are by their features: cosines of words, of categories and of vectors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.models.protocol.features import FeatureKind, Features
from recsparse.models.protocol.reasons import listed_products
from recsparse.models.protocol.stored_arrays import stored_csr, stored_tensor

# What items can be compared by; a product of two numbers tells nothing of how near they are.
COMPARED: frozenset[FeatureKind] = frozenset({"words", "categories", "vectors"})


@dataclass(frozen=True, eq=False)
class Cosines:
    """The features of some items, each group of norm 1.

    Attributes:
        sparse: Items × columns: words and categories.
        vectors: Items × columns.
    """

    sparse: csr_matrix
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, features: Features, word_exponent: float) -> "Cosines":
        """Bring features to norm 1; numbers are left out.

        Args:
            features: Of the items.
            word_exponent: Power of a word's weight.

        Returns:
            The features.
        """
        return cls(features.sparse(word_exponent), features.unit_vectors())

    @classmethod
    def stored(cls, state: Mapping[str, Tensor], num_columns: int) -> "Cosines":
        """Read features back from a model's state.

        Args:
            state: The tensors `data`, `indices` and `indptr`, and `vectors` where there are any.
            num_columns: Of words and categories.

        Returns:
            The features.

        Raises:
            InputError: If the tensors do not make features of the same items.
        """
        sparse = stored_csr(state, None, num_columns)
        vectors = torch.zeros(sparse.shape[0], 0)
        if "vectors" in state:
            vectors = stored_tensor(state, "vectors", sparse.shape[0], None)
        return cls(sparse, vectors.numpy())

    def to_history(self, history: csr_matrix, others: "Cosines") -> Float[Tensor, "b n"]:
        """Return the weighted sums of the cosines of others to the items of histories.

        Args:
            history: Rows × these items, their weights.
            others: Features of the items to compare, of the same columns.

        Returns:
            One row per history, one column per other item.
        """
        found = ((history @ self.sparse) @ others.sparse.T).toarray()
        if self.vectors.shape[1]:
            found = found + (history @ self.vectors) @ others.vectors.T
        return torch.from_numpy(np.asarray(found, dtype=np.float32))

    def of_listed(
        self, history: csr_matrix, listed: Int[Tensor, "b k"], others: "Cosines"
    ) -> Float[Tensor, "n k"]:
        """Return the cosines of the items of histories to those that are listed for each.

        Args:
            history: Rows × these items; weights do not count.
            listed: Places among the others, of each row.
            others: Features of items that may be listed, of the same columns.

        Returns:
            One row per stored cell.
        """
        found = np.zeros((history.nnz, listed.shape[1]), dtype=np.float32)
        for row, items in enumerate(listed.numpy()):
            cells = slice(history.indptr[row], history.indptr[row + 1])
            found[cells] = (self.sparse[history.indices[cells]] @ others.sparse[items].T).toarray()
        if not self.vectors.shape[1]:
            return torch.from_numpy(found)
        vectors = torch.from_numpy(self.vectors), torch.from_numpy(others.vectors)
        return torch.from_numpy(found) + listed_products(*vectors, history, listed)
