"""Logs whose events follow each other by a rule."""

import numpy as np
from scipy.sparse import csr_matrix


def matrices_of(sequences, num_items, start=0):
    """Return a history of weight 1 and the times of lists of items, each item once a user."""
    row = np.repeat(np.arange(len(sequences)), [len(items) for items in sequences])
    item = np.array([item for items in sequences for item in items], dtype=int)
    time = np.array(
        [place + start for items in sequences for place, _ in enumerate(items)], dtype=int
    )
    order = np.lexsort([item, row])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(sequences)))])
    shape = len(sequences), num_items
    history = csr_matrix((np.ones(len(item), np.float32), item[order], indptr), shape=shape)
    return history, csr_matrix((time[order], item[order], indptr), shape=shape)


def walks(num_users, num_items, length, seed=0):
    """Users who walk round a ring of items, one step after the other, from anywhere."""
    starts = np.random.default_rng(seed).integers(0, num_items, num_users)
    return [[int((start + step) % num_items) for step in range(length)] for start in starts]
