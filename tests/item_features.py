"""Features of items, as models take them."""

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.models.protocol.features import Features


def word_features(bags) -> Features:
    """Return bags of words as the only features."""
    return Features.of([("words", "words", csr_matrix(bags, dtype=np.float32))])


def mixed_features(num_items: int, seed: int = 0) -> Features:
    """Return a group of each kind; the item in the middle has none."""
    rng = np.random.default_rng(seed)
    bags = rng.integers(0, 4, (num_items, 9)) * (rng.random((num_items, 9)) < 0.4)
    genres = rng.random((num_items, 4)) < 0.5
    years, vectors = rng.normal(size=(num_items, 2)), rng.normal(size=(num_items, 3))
    for values in (bags, genres, years, vectors):
        values[num_items // 2] = 0
    return Features.of(
        [
            ("words", "words", csr_matrix(bags.astype(np.float32))),
            ("genres", "categories", csr_matrix(genres.astype(np.float32))),
            ("year", "numbers", years.astype(np.float32)),
            ("embedding", "vectors", vectors.astype(np.float32)),
        ]
    )
