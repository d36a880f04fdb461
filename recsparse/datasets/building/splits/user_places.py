"""Places of rows among those of their users."""

import numpy as np

from recsparse.datasets.indexed_rows import Rows, first_of_user


def rows_of_user(rows: Rows) -> np.ndarray:
    """Return how many rows the user of each row has.

    Args:
        rows: A block of whole users.

    Returns:
        One number per row.
    """
    first = first_of_user(rows.user)
    size = np.diff([*first, len(rows)])
    return np.repeat(size, size)


def places_among(rows: Rows, place: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the place of each chosen row among those of its user, in the order of `place`.

    Args:
        rows: A block of whole users.
        place: The place of each row among all of its user.
        chosen: Which rows count.

    Returns:
        One number per row, of use where it is chosen.
    """
    first = first_of_user(rows.user)
    order = np.empty(len(rows), dtype=np.int64)
    order[np.repeat(first, np.diff([*first, len(rows)])) + place] = np.arange(len(rows))
    before = np.concatenate([[0], np.cumsum(chosen[order])])
    result = np.empty(len(rows), dtype=np.int64)
    result[order] = before[:-1] - np.repeat(before[first], np.diff([*first, len(rows)]))
    return result
