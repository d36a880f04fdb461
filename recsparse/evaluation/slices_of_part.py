"""The slices of a part: who its users are, what its items are, and how long after training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recsparse.config.evaluation import EvaluationConfig
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.datasets.indexed_rows import NO_TIME
from recsparse.datasets.matrices import item_of, user_of
from recsparse.datasets.schema import TIMESTAMP
from recsparse.evaluation.popularity import THIRDS, popularity_thirds
from recsparse.evaluation.slices import Slice
from recsparse.evaluation.slices_of_columns import slices_of_columns, user_index_of

Mask = NDArray[np.bool_]

_LENGTHS = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000)
_DAY = 24 * 60 * 60
_DAYS = (0, 1, 7, 14, 30, 60, 90, 180, 365)


@dataclass(frozen=True, eq=False)
class SlicedPart:
    """A part with its slices.

    Attributes:
        part: The users and targets that are evaluated.
        slices: Some of its users or items each.
        training_rows: Of each item of the part.
    """

    part: WholePart
    slices: Sequence[Slice]
    training_rows: NDArray[np.int64]

    @classmethod
    def of(
        cls, data: Dataset, name: str, part: WholePart, options: EvaluationConfig
    ) -> "SlicedPart":
        """Make the slices that a configuration names.

        Args:
            data: The dataset.
            name: `validation` or `test`.
            part: What is evaluated of that part.
            options: What slices there are.

        Returns:
            The part with them.

        Raises:
            InputError: If a column is named that the dataset does not have.
        """
        rows = np.bincount(item_of(data.split.train), minlength=len(part.items))
        return cls(part, slices_of_part(data, name, part, options), rows)


def slices_of_part(
    data: Dataset, name: str, part: WholePart, options: EvaluationConfig
) -> list[Slice]:
    """Return the slices that a configuration names.

    - `history`: users by the number of items known of them before the part.
    - `users`: users with training rows, and without.
    - `items`: targets with training rows, and without.
    - `popularity`: head, the most popular items that hold a third of the training rows; middle, the
      next third; tail, the last.
    - `time`: users by the days from the last training row to their first row of the part, where the
      split evaluates what comes after training.
    - `users.COLUMN`, `items.COLUMN`: the most frequent categories, or quarters of the numbers;
      `columns` is all of them.

    Args:
        data: The dataset.
        name: `validation` or `test`.
        part: What is evaluated of that part.
        options: What slices there are.

    Returns:
        Slices with at least one user or target; none of a kind that would have one slice of all.

    Raises:
        InputError: If a column is named that the dataset does not have.
    """
    makers: Mapping[str, Callable[[], Sequence[Slice]]] = {
        "history": lambda: _by_history(part),
        "users": lambda: _known_and_new_users(part),
        "items": lambda: _known_and_new_items(part),
        "popularity": lambda: _by_popularity(data, part),
        "time": lambda: _by_time(data, name, part),
    }
    found: dict[str, Slice] = {}
    for wanted in options.slices:
        make = makers.get(wanted, partial(slices_of_columns, data, part, wanted))
        found |= {each.name: each for each in make()}
    return [*found.values()]


def _apart(slices: Sequence[Slice]) -> Sequence[Slice]:
    # One slice alone is everybody.
    return slices if len(slices) > 1 else []


def _by_history(part: WholePart) -> Sequence[Slice]:
    place = np.searchsorted(_LENGTHS, part.history_lengths, side="right") - 1
    names = _ranges("history", _LENGTHS)
    return _apart([Slice(names[i], "history", users=place == i) for i in np.unique(place)])


def _known_and_new_users(part: WholePart) -> Sequence[Slice]:
    both = {"known users": ~part.is_new, "new users": part.is_new}
    return _apart([Slice(name, "users", users=mask) for name, mask in both.items() if mask.any()])


def _targets_of(part: WholePart) -> NDArray[np.int64]:
    """Return how many users have each item as a target."""
    return part.target_rows.getnnz(axis=0)


def _known_and_new_items(part: WholePart) -> Sequence[Slice]:
    is_known = np.arange(len(part.items)) < part.num_known
    both = {"known items": is_known, "new items": ~is_known}
    wanted = _targets_of(part) > 0
    kept = [Slice(name, "items", items=mask) for name, mask in both.items() if mask[wanted].any()]
    return _apart(kept)


def _by_popularity(data: Dataset, part: WholePart) -> Sequence[Slice]:
    third = popularity_thirds(np.bincount(item_of(data.split.train), minlength=len(part.items)))
    wanted = _targets_of(part) > 0
    named = {name: third == place for place, name in enumerate(THIRDS)}
    return _apart(
        [
            Slice(f"{name} items", "popularity", items=mask)
            for name, mask in named.items()
            if (mask & wanted).any()
        ]
    )


def _by_time(data: Dataset, name: str, part: WholePart) -> Sequence[Slice]:
    last = data.counts.get("last_training_second")
    if last is None or not data.config.split.looks_ahead:
        return []
    rows, _ = data.targets_and_history(name)
    time = rows[TIMESTAMP].fill_null(NO_TIME).to_numpy()
    row_of = np.full(len(data.users) + len(data.unseen_users), -1, dtype=np.int64)
    row_of[user_index_of(data, part)] = np.arange(len(part.user_ids))
    user = row_of[user_of(rows)]
    counts = (user >= 0) & (time != NO_TIME)
    first = np.full(len(part.user_ids), np.iinfo(np.int64).max)
    np.minimum.at(first, user[counts], time[counts])
    is_timed = first < np.iinfo(np.int64).max
    days = np.maximum(first - last, 0) // _DAY
    place = np.where(is_timed, np.searchsorted(_DAYS, days, side="right") - 1, -1)
    names = _ranges("day", _DAYS)
    return _apart([Slice(names[i], "time", users=place == i) for i in np.unique(place) if i >= 0])


def _ranges(what: str, edges: Sequence[int]) -> list[str]:
    """Name the ranges between whole numbers, each from its edge to before the next."""
    names = []
    for first, after in pairwise(edges):
        last = after - 1
        names.append(f"{what} {first}" if first == last else f"{what} {first} to {last}")
    return [*names, f"{what} {edges[-1]} or more"]
