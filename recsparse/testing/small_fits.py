"""A small log and models that are fitted on it, for tests."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, random_array
from torch import Tensor

from recsparse.config.model_section import ModelSection
from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model

TRAINING = TrainingConfig(epochs=3, batch_users=8, device="cpu")
NUM_USERS, NUM_ITEMS = 24, 12


def log_of(num_users: int = NUM_USERS, num_items: int = NUM_ITEMS, seed: int = 0) -> csr_matrix:
    """Return random weighted interactions, with an empty row and an empty column."""
    rng = np.random.default_rng(seed)
    dense = random_array((num_users, num_items), density=0.4, rng=rng, dtype=np.float32).toarray()
    dense[num_users // 2] = 0
    dense[:, num_items // 2] = 0
    return csr_matrix(dense * 3)


def checkerboard() -> tuple[csr_matrix, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return users of two groups and all items of their group but one, which each row holds out.

    Returns:
        The log, which cells are of one group, and which of these are held out.
    """
    same = np.arange(NUM_USERS)[:, None] % 2 == np.arange(NUM_ITEMS) % 2
    held_out = np.zeros_like(same)
    user = np.arange(NUM_USERS)
    held_out[user, (user // 2) % (NUM_ITEMS // 2) * 2 + user % 2] = True
    return csr_matrix((same & ~held_out).astype(np.float32)), same, held_out


def words_of(num_ids: int) -> Features:
    """Return two words per item or user: one of its own, one of its group."""
    words = np.hstack([np.zeros((num_ids, 2)), np.eye(num_ids)])
    words[np.arange(num_ids), np.arange(num_ids) % 2] = 1
    return Features.of([("words", "words", csr_matrix(words, dtype=np.float32))])


def times_of(log: csr_matrix) -> csr_matrix:
    """Return the times of a log's cells: each item has the same one in all rows."""
    cells = csr_matrix(log, copy=True)
    cells.sum_duplicates()
    seconds = cells.indices.astype(np.int64) * 7919 % 1009 - 300
    return csr_matrix((seconds, cells.indices, cells.indptr), shape=cells.shape)


def fit(model: Recommender, interactions: csr_matrix, seed: int = 0) -> Recommender:
    """Fit a model with times, words of items and of users, and with a trainer of three epochs."""
    context = FitContext(
        TRAINING,
        seed,
        times=times_of(interactions),
        item_features=words_of(interactions.shape[1]),
        user_features=words_of(interactions.shape[0]),
    )
    return fit_model(model, interactions, context)


def score(model: Recommender, history: csr_matrix) -> Tensor:
    """Score all items for some rows, with their times."""
    return model.score_batch(history, times_of(history))


@functools.cache
def fitted(config: ModelSection) -> Recommender:
    """Return a fitted model that tests share; none may change it."""
    return fit(build_model(config), log_of())


def raw_parts(matrix: csr_matrix) -> list[list[Any]]:
    """Return the arrays of a matrix as they lie in memory."""
    return [part.tolist() for part in (matrix.data, matrix.indices, matrix.indptr)]
