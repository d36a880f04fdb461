"""Items without a history: models that score them by their words alone."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.sparse.tensor import SparseTensor


class ColdScorer(ABC):
    """A fitted model that scores items that its fit did not know."""

    @abstractmethod
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, words: SparseTensor
    ) -> Float[Tensor, "b cold"]:
        """Score items by their words.

        Args:
            history: One row of interactions a user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            words: One bag of words an item to score, of the fit's vocabulary.

        Returns:
            One row a user, float32, on the CPU; the larger the better.
        """


def bags_of(words: SparseTensor) -> csr_matrix:
    """Return bags of words as a matrix.

    Args:
        words: One sample a document, one axis of words, one channel.

    Returns:
        Documents × words, float32.

    Example:
        >>> import torch
        >>> bags_of(SparseTensor.from_dense(torch.tensor([[[0.0, 2.0]], [[1.0, 0.0]]]))).toarray()
        array([[0., 2.],
               [1., 0.]], dtype=float32)
    """
    document, word = words.coords.numpy().T
    shape = words.batch_size, words.spatial_shape[0]
    return csr_matrix((words.feats[:, 0].numpy().astype(np.float32), (document, word)), shape=shape)
