"""Weights of rows that halve with age."""

import numpy as np
import pyarrow as pa

from recsparse.config.units import SECONDS_A_DAY


def aged_weights(
    weight: np.ndarray,
    timestamp: pa.ChunkedArray,
    last: int | None,
    half_life_days: float | None,
) -> np.ndarray:
    """Return weights as age leaves them: `weight · 0.5 ** (age in days / half-life)`.

    Args:
        weight: float32, one per row.
        timestamp: Seconds since 1970, UTC; where null, the row has no age.
        last: The second from which ages count; a later row weighs more than its weight. None where
            no time is known.
        half_life_days: Days; None where age does not matter.

    Returns:
        float32, one per row.
    """
    if half_life_days is None or last is None:
        return weight
    age = last - timestamp.fill_null(last).to_numpy()
    aged: np.ndarray = (weight * 0.5 ** (age / SECONDS_A_DAY / half_life_days)).astype(np.float32)
    return aged
