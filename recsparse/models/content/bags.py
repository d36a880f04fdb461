"""Bags of words as models read them."""

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recsparse.errors import InputError
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.needs import unmet
from recsparse.models.protocol.recommender import Recommender
from recsparse.sparse.tensor import SparseTensor


def wanted_words(model: Recommender, context: FitContext, num_items: int) -> SparseTensor:
    """Return the items' bags of words.

    Args:
        model: The model that needs them, as it says itself.
        context: What the fit was given.
        num_items: Number of items.

    Returns:
        One sample per item.

    Raises:
        InputError: If there are none, or not one per item.
    """
    words = context.item_words
    if words is None:
        setting = model.needs()["item_words"]
        raise InputError(unmet("item_words", model.kind, setting, "there are none"))
    if words.batch_size != num_items:
        raise InputError(
            f"context.item_words must have one sample for each of {num_items} items, but has "
            f"{words.batch_size}"
        )
    return words


def unit_rows(bags: csr_matrix, exponent: float = 1.0) -> csr_matrix:
    """Bring each bag of words to norm 1.

    Args:
        bags: Documents × words, no negative weights.
        exponent: Power of the weights beforehand; below 1, a word that is repeated counts less.

    Returns:
        float32; documents without words stay empty.
    """
    damped = csr_matrix((bags.data**exponent, bags.indices, bags.indptr), shape=bags.shape)
    norm = np.sqrt(np.asarray(damped.multiply(damped).sum(axis=1)).ravel())
    unit = diags_array(1 / np.where(norm > 0, norm, 1.0)) @ damped
    return csr_matrix(unit, dtype=np.float32)


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
