"""Sums of resampled users: the bootstrap, and the randomisation of signs, a block at a time."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

DRAWS = 10_000
_DRAWS_AT_ONCE, _USERS_AT_ONCE = 256, 1 << 14
# Below, users are drawn with replacement; above, each has a Poisson weight of mean 1, which is the
# same in the limit (Hanley and MacGibbon 2006), and each weight can be drawn by itself.
_FEW_USERS = 1000
# Four weights are made of one random number of 64 bits.
_TABLE_SIZE = 1 << 16
# Two to the power of so many users are all their signs: 8,192.
MOST_ENUMERATED = 13

_Weights = Callable[[np.random.Generator, int, int], NDArray[np.float32]]


def bootstrap_sums(
    values: NDArray[np.float64], draws: int = DRAWS, seed: int = 0
) -> NDArray[np.float64]:
    """Return the sums of each column over resampled users (Efron 1979, Ann. Statist. 7).

    One draw weighs all columns alike, so that the columns of two models stay paired. Memory is
    bounded by the result and some blocks of 16 MB. Sums are exact to about 6 digits.

    Args:
        values: Users × columns, finite. A column of ones gives the number of users of a draw, by
            which sums become means.
        draws: How often users are resampled.
        seed: Of the random numbers; the same seed gives the same draws.

    Returns:
        Draws × columns.

    Example:
        >>> bootstrap_sums(np.array([[2.0, 1.0]] * 3), draws=2).tolist()
        [[6.0, 3.0], [6.0, 3.0]]
    """
    return _weighted_sums(values, draws, seed, _multinomial if _are_few(values) else _poisson)


def sign_flip_sums(
    values: NDArray[np.float64], draws: int = DRAWS, seed: int = 0
) -> NDArray[np.float64]:
    """Return the sums of each column with random signs, the same in all columns of a user.

    Args:
        values: Users × columns, finite, such as differences of two models.
        draws: How often signs are drawn. Up to 13 users, all signs there are take their place.
        seed: Of the random numbers.

    Returns:
        Draws × columns; 2^users rows where all signs were taken.

    Example:
        >>> sign_flip_sums(np.array([[1.0], [2.0]])).ravel().tolist()
        [3.0, 1.0, -1.0, -3.0]
    """
    num_users = len(values)
    if num_users <= MOST_ENUMERATED:
        bits = (np.arange(2**num_users)[:, None] >> np.arange(num_users)) & 1
        return (1.0 - 2.0 * bits) @ values
    return _weighted_sums(values, draws, seed, _signs)


def _are_few(values: NDArray[np.float64]) -> bool:
    return len(values) < _FEW_USERS


def _weighted_sums(
    values: NDArray[np.float64], draws: int, seed: int, weights: _Weights
) -> NDArray[np.float64]:
    rng = np.random.Generator(np.random.SFC64(seed))
    sums = np.zeros((draws, values.shape[1]))
    for start in range(0, len(values), _USERS_AT_ONCE):
        # Products in single precision are of few users, their sum is in double.
        users = values[start : start + _USERS_AT_ONCE].astype(np.float32)
        for first in range(0, draws, _DRAWS_AT_ONCE):
            some = sums[first : first + _DRAWS_AT_ONCE]
            some += weights(rng, len(some), len(users)) @ users
    return sums


def _multinomial(rng: np.random.Generator, draws: int, users: int) -> NDArray[np.float32]:
    return rng.multinomial(users, np.full(users, 1 / users), draws).astype(np.float32)


def _poisson(rng: np.random.Generator, draws: int, users: int) -> NDArray[np.float32]:
    bits = rng.integers(0, 2**64, -(-draws * users // 4), dtype=np.uint64)
    # All places are in the table: clip is the mode that does not look.
    found = np.take(_POISSON, bits.view(np.uint16)[: draws * users], mode="clip")
    return found.reshape(draws, users)


def _signs(rng: np.random.Generator, draws: int, users: int) -> NDArray[np.float32]:
    width = -(-users // 8)
    octets = rng.integers(0, 256, (draws, width), dtype=np.uint8)
    return np.take(_SIGNS, octets, axis=0, mode="clip").reshape(draws, 8 * width)[:, :users]


def _poisson_table() -> NDArray[np.float32]:
    """Return numbers of which a random one is Poisson with mean 1, to 1 / 65536."""
    edges = np.rint(poisson.cdf(np.arange(12), 1) * _TABLE_SIZE).astype(np.int64)
    return np.searchsorted(edges, np.arange(_TABLE_SIZE), side="right").astype(np.float32)


_POISSON = _poisson_table()
_SIGNS = 1 - 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)
