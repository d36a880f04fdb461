"""The lists of a part: one per user, or one per time where a user has no training rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists, SharedCells
from recsparse.datasets.indexed_rows import NO_TIME
from recsparse.datasets.matrices import item_of, user_of
from recsparse.datasets.schema import TIMESTAMP

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class _Cells:
    """Items of users, by row of the part, with the time of each; `NO_TIME` where unknown."""

    row: np.ndarray
    item: np.ndarray
    weight: np.ndarray
    time: np.ndarray

    def take(self, where: np.ndarray) -> "_Cells":
        columns = self.row, self.item, self.weight, self.time
        return _Cells(*(column[where] for column in columns))


def lists_over_time(
    data: Dataset, name: str, row_of: np.ndarray, is_new: np.ndarray, targets: csr_matrix
) -> Lists:
    """Say what each list of a part is made from and compared with.

    A user with training rows has one list, as of `Dataset.evaluation_part`. A user without has one
    for each time that rows of the part have: what was done before that time is the history, and
    the items that the user takes for the first time then or later are the targets. The first of
    these lists is compared with all rows of the user, like that of any other user, also with items
    of its history. Lists without targets are not made.

    Where the split has drawn rows at random, such users have the first of these lists alone. Where
    it has set rows apart for a model to see, as of held-out users, each has one list, of these. A
    user who has a row of the part without a time has one list, with all that was done in the parts
    before.

    Args:
        data: The dataset.
        name: `validation` or `test`.
        row_of: Of each user of the dataset, the row of the targets; −1 for users without one.
        is_new: Whether each user of the dataset has no training row.
        targets: Users × items, all cells of the part.

    Returns:
        At least one list per user.
    """
    rows, before = data.targets_and_history(name)
    user, time = user_of(rows), _time_of(rows)
    by_time = is_new & (data.split.set_apart(name) is None)
    by_time[user[time == NO_TIME]] = False
    row, time = _distinct(row_of[user], np.where(by_time[user], time, NEVER))
    # What they did in the part is known at a later time.
    own = rows.filter(pa.array(by_time[user]))
    events = _events(data, [*before, own], row_of, by_time)
    cells = _target_cells(targets, events, time[np.diff(row, prepend=-1) > 0])
    first, last = np.searchsorted(events.row, row), _number_before(row, time, events)
    start, end = _number_before(row, time, cells), np.searchsorted(cells.row, row, side="right")
    is_timed = any(table[TIMESTAMP].null_count < table.num_rows for table in before)
    num_items = targets.shape[1]
    lists = Lists(
        row,
        SharedCells(first, last, events.item, events.weight, num_items),
        SharedCells(start, end, cells.item, cells.weight, num_items),
        SharedCells(first, last, events.item, events.time, num_items, True) if is_timed else None,
    )
    lists = lists.of_lists(lists.targets.num_cells() > 0)
    return lists if data.config.split.looks_ahead else lists.of_lists(lists.are_first())


def _time_of(table: pa.Table) -> np.ndarray:
    return table[TIMESTAMP].fill_null(NO_TIME).to_numpy()


def _distinct(row: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each pair of row and time once, in order."""
    order = np.lexsort((time, row))
    row, time = row[order], time[order]
    is_other = (np.diff(row, prepend=-1) != 0) | (np.diff(time, prepend=0) != 0)
    return row[is_other], time[is_other]


def _events(
    data: Dataset, tables: Sequence[pa.Table], row_of: np.ndarray, by_time: np.ndarray
) -> _Cells:
    """Return what the users of the part did, by user; of those with several lists by time."""
    pieces = []
    for table in tables:
        user = user_of(table)
        kept = row_of[user] >= 0
        columns = user, item_of(table), data.weights_of(table), _time_of(table)
        pieces.append([column[kept] for column in columns])
    user, item, weight, time = (np.concatenate(some) for some in zip(*pieces, strict=True))
    order = np.lexsort((np.where(by_time[user], time, 0), row_of[user]))
    return _Cells(row_of[user], item.astype(np.int64), weight, time).take(order)


def _target_cells(targets: csr_matrix, events: _Cells, start: np.ndarray) -> _Cells:
    """Return the cells of the targets by user, then by when the user first took the item.

    Args:
        targets: Users × items.
        events: What the users did, among it all cells of users with several lists.
        start: The time of the first list of each user, which has all cells.

    Returns:
        The cells, none before the first list.
    """
    cells, width = targets.tocoo(), targets.shape[1]
    row, item = cells.row.astype(np.int64), cells.col.astype(np.int64)
    key, event_key = row * width + item, events.row * width + events.item
    place = np.searchsorted(key, event_key).clip(max=max(len(key) - 1, 0))
    found = key[place] == event_key if len(key) else np.zeros(len(event_key), dtype=bool)
    taken = np.full(len(key), NEVER)
    np.minimum.at(taken, place[found], events.time[found])
    taken = np.maximum(taken, start[row])
    return _Cells(row, item, cells.data, taken).take(np.lexsort((taken, row)))


def _number_before(row: np.ndarray, time: np.ndarray, events: _Cells) -> np.ndarray:
    """Return how many events come before each list, both in order of row and time."""
    is_event = np.repeat([0, 1], [len(row), len(events.row)])
    times, rows = np.concatenate([time, events.time]), np.concatenate([row, events.row])
    # A list comes before the events of its own time.
    order = np.lexsort((is_event, times, rows))
    return np.flatnonzero(order < len(row)) - np.arange(len(row))
