"""Logs with a known truth: groups of users that like groups of items."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsparse.errors import InputError

_FIRST_SECOND = 1_600_000_000  # 13 September 2020, UTC
_YEAR = 365 * 24 * 3600
_ROUNDS = 4
_WORDS_OF_GROUP, _WORDS_OF_ALL, _WORDS_OF_TEXT = 10, 20, 6


@dataclass(frozen=True, eq=False)
class SyntheticLog:
    """A log, its items, and the truth behind both.

    Attributes:
        table: `user_id`, `item_id` (int64, from 0), `rating` (float32: 4 or 5 within the group,
            1 to 3 outside), `timestamp` (int64, seconds since 1970, UTC), sorted by time; no user
            and item meet twice.
        items: `item_id` and `title`, half of whose words are used by the item's group alone.
        user_group: The group of each user id.
        item_group: The group of each item id.
    """

    table: pa.Table
    items: pa.Table
    user_group: np.ndarray
    item_group: np.ndarray


def synthetic_log(
    num_users: int,
    num_items: int,
    num_rows: int,
    seed: int,
    num_groups: int = 4,
    affinity: float = 0.8,
) -> SyntheticLog:
    """Return a log in which users mostly meet items of their own group, popular ones more often.

    The popularity of items falls by Zipf's law, 1 / place. A row is drawn from the items of the
    user's group with probability `affinity`, else from all. A pair that is drawn twice counts
    once, so that fuller logs hold less of the popular and of the group; where more distinct rows
    are needed than such draws soon give, the rest is drawn from all pairs alike.

    Args:
        num_users: Users; the ids of those without a row do not occur in the log.
        num_items: Items, likewise; all of them are in `items`.
        num_rows: Distinct pairs of user and item.
        seed: The same seed gives the same log.
        num_groups: Groups of users, and of items, of nearly equal size.
        affinity: Share of the draws that stay within the group.

    Returns:
        The log and the truth.

    Raises:
        InputError: If there are more rows than pairs, more groups than items, no group, or an
            affinity outside 0 to 1.

    Example:
        >>> log = synthetic_log(num_users=50, num_items=20, num_rows=300, seed=0)
        >>> log.table.num_rows, log.items.num_rows, len(log.user_group)
        (300, 20, 50)
    """
    if not 0 <= num_rows <= num_users * num_items:
        raise InputError(
            f"num_rows must be 0 to num_users × num_items = {num_users * num_items}, but got "
            f"{num_rows}; mend it by more users or items"
        )
    if not 1 <= num_groups <= num_items or not 0 <= affinity <= 1:
        raise InputError(
            f"num_groups must be 1 to num_items = {num_items} and affinity 0 to 1, but got "
            f"{num_groups} and {affinity}"
        )
    rng = np.random.default_rng(seed)
    user_group = rng.permutation(num_users) % num_groups
    item_group = rng.permutation(num_items) % num_groups
    user, item = _distinct_pairs(user_group, item_group, num_rows, affinity, rng)
    return SyntheticLog(
        table=_log_table(user, item, user_group[user] == item_group[item], rng),
        items=_items_table(item_group, rng),
        user_group=user_group,
        item_group=item_group,
    )


def _distinct_pairs(
    user_group: np.ndarray,
    item_group: np.ndarray,
    num_rows: int,
    affinity: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    num_users, num_items = len(user_group), len(item_group)
    popularity = 1.0 / (1.0 + rng.permutation(num_items))
    pairs = np.zeros(0, dtype=np.int64)
    rounds = 0
    while len(pairs) < num_rows:
        user = rng.integers(num_users, size=num_rows)
        if rounds < _ROUNDS:
            own_group = rng.random(num_rows) < affinity
            item = _draw_items(user_group[user], own_group, item_group, popularity, rng)
        else:
            item = rng.integers(num_items, size=num_rows)
        pairs = np.union1d(pairs, user * num_items + item)
        rounds += 1
    chosen = rng.choice(pairs, num_rows, replace=False) if num_rows else pairs
    return chosen // max(num_items, 1), chosen % max(num_items, 1)


def _draw_items(
    group: np.ndarray,
    own_group: np.ndarray,
    item_group: np.ndarray,
    popularity: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw an item for each row by its popularity, of the row's group or of all."""
    by_group = np.argsort(item_group, kind="stable")
    # Group g owns the stretch edges[g] to edges[g + 1] of the line of all popularity.
    line = np.concatenate([[0.0], np.cumsum(popularity[by_group])])
    edges = line[np.concatenate([[0], np.cumsum(np.bincount(item_group))])]
    low = np.where(own_group, edges[group], 0.0)
    high = np.where(own_group, edges[group + 1], line[-1])
    place = np.searchsorted(line, low + (high - low) * rng.random(len(group)), side="right") - 1
    item: np.ndarray = by_group[np.minimum(place, len(by_group) - 1)]
    return item


def _log_table(
    user: np.ndarray, item: np.ndarray, within: np.ndarray, rng: np.random.Generator
) -> pa.Table:
    liked, other = rng.integers(4, 6, len(user)), rng.integers(1, 4, len(user))
    return pa.table(
        {
            "user_id": user,
            "item_id": item,
            "rating": np.where(within, liked, other).astype(np.float32),
            "timestamp": np.sort(_FIRST_SECOND + rng.integers(_YEAR, size=len(user))),
        }
    )


def _items_table(item_group: np.ndarray, rng: np.random.Generator) -> pa.Table:
    half = _WORDS_OF_TEXT // 2
    own = rng.integers(_WORDS_OF_GROUP, size=(len(item_group), half))
    common = rng.integers(_WORDS_OF_ALL, size=(len(item_group), half))
    titles = [
        " ".join([*(f"group{group}word{word}" for word in mine), *(f"word{word}" for word in ours)])
        for group, mine, ours in zip(item_group, own, common, strict=True)
    ]
    return pa.table({"item_id": np.arange(len(item_group)), "title": pa.array(titles, pa.string())})
