"""Places of rows among those of their users."""

import numpy as np

from recsparse.datasets.indexed_rows import Rows, first_of_user


def rows_of_user(rows: Rows, chosen: np.ndarray | None = None) -> np.ndarray:
    """Return how many rows the user of each row has.

    Args:
        rows: A block of whole users.
        chosen: Which rows count; None for all.

    Returns:
        One number per row.
    """
    first = first_of_user(rows.user)
    size = np.diff([*first, len(rows)])
    count = size if chosen is None else np.add.reduceat(chosen.astype(np.int64), first)
    return np.repeat(count, size)


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
