"""The vectors of a model's users, as they are made for its folder: float32, as they are scored."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.score_vectors import ScoresByVectors, by_vectors
from recsparse.scoring.array_file import Stream
from recsparse.scoring.user_rows import UserRows

# The text next to the vectors that names the SHA-256 of the weights that made them.
WEIGHTS_OF_VECTORS = "weights"
_USERS_AT_ONCE = 1024


def stores_vectors(model: FittedModel) -> bool:
    """Say whether the folder of a model holds the vectors of its users.

    Args:
        model: A fitted model.

    Returns:
        False where its configuration says so, it scores by no vectors, or its kind has no such
        setting.
    """
    return by_vectors(model) is not None and bool(getattr(model.config, "store_vectors", False))


def bytes_of_vectors(model: FittedModel, num_users: int) -> int:
    """Return how large the vectors in the folder of a model are.

    Args:
        model: A fitted model.
        num_users: Users whom it knows.

    Returns:
        The bytes; 0 where there are none.
    """
    maker = by_vectors(model)
    if maker is None or not stores_vectors(model):
        return 0
    return 4 * num_users * int(maker.item_vectors().shape[1])


def made_vectors(model: FittedModel, rows: UserRows, users: Features | None) -> dict[str, Stream]:
    """Return the vectors of all users, to be made while they are written.

    Args:
        model: A fitted model.
        rows: What is known of the users by rows.
        users: Features of the users.

    Returns:
        One array by its name, zeros for users without rows; none where none are stored.
    """
    maker = by_vectors(model)
    if maker is None or not stores_vectors(model):
        return {}
    shape = rows.shape[0], int(maker.item_vectors().shape[1])
    return {"vectors": Stream(np.float32, shape, _parts(maker, rows, users, shape[1]))}


def _parts(
    maker: ScoresByVectors, rows: UserRows, users: Features | None, width: int
) -> Iterator[NDArray[np.float32]]:
    for start in range(0, rows.shape[0], _USERS_AT_ONCE):
        index = np.arange(start, min(start + _USERS_AT_ONCE, rows.shape[0]))
        found = np.zeros((len(index), width), dtype=np.float32)
        filled = rows.has_rows(index)
        if filled.any():
            some = index[filled]
            features = None if users is None else users.rows(some)
            found[filled] = maker.user_vectors(*rows.timed(some), features).numpy()
        yield found
