"""Bags of words as sparse tensors."""

import numpy as np
import torch
from scipy.sparse import csr_matrix

from recsparse.sparse.tensor import SparseTensor, sparse_tensor


def bags_to_tensor(bags: csr_matrix) -> SparseTensor:
    """Return one sample a document, one axis of words, and one channel.

    Args:
        bags: Documents × words; stored zeros stay active cells.

    Returns:
        A float32 tensor of spatial shape (words,).

    Example:
        >>> bags_to_tensor(csr_matrix([[0.0, 2.0], [1.0, 0.0]])).coords.tolist()
        [[0, 1], [1, 0]]
    """
    coo = bags.tocoo()
    coords = torch.from_numpy(np.stack([coo.row, coo.col], axis=1).astype(np.int64))
    feats = torch.from_numpy(coo.data.astype(np.float32)).unsqueeze(1)
    return sparse_tensor(coords, feats, (bags.shape[1],), bags.shape[0])


def tensor_to_bags(words: SparseTensor) -> csr_matrix:
    """Return bags of words as a matrix.

    Args:
        words: One sample per document, one axis of words, one channel.

    Returns:
        Documents × words, float32.

    Example:
        >>> tensor_to_bags(bags_to_tensor(csr_matrix([[0.0, 2.0], [1.0, 0.0]]))).toarray()
        array([[0., 2.],
               [1., 0.]], dtype=float32)
    """
    document, word = words.coords.numpy().T
    shape = words.batch_size, words.spatial_shape[0]
    return csr_matrix((words.feats[:, 0].numpy().astype(np.float32), (document, word)), shape=shape)
