"""Rows are parted and written by index, and what is counted on the way."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.prefetch import prefetched
from recsparse.datasets.building.splits.split import Assign
from recsparse.datasets.indexed_rows import INDEXED_SCHEMA, NO_TIME, Rows, RowsWriter, first_of_user
from recsparse.datasets.orders.fit_order import Activity
from recsparse.datasets.parts import (
    PART_NAMES,
    TEST,
    TEST_HISTORY,
    TRAIN,
    VALIDATION,
    VALIDATION_HISTORY,
)
from recsparse.datasets.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Axis:
    """The ids of one axis once it is known which occur in training.

    Attributes:
        train: Ids with training rows (and those that keep their index): indices 0 … n − 1.
        unseen: Ids with rows in other parts alone: indices from n on.
        index: The index of each id of the log, −1 for those without any row.
    """

    train: Vocabulary
    unseen: Vocabulary
    index: np.ndarray

    @classmethod
    def of(cls, ids: Vocabulary, num_kept: int, in_train: np.ndarray, used: np.ndarray) -> "Axis":
        """Number the ids of an axis.

        Args:
            ids: All ids of the log.
            num_kept: The first ids that stay in the vocabulary even without rows.
            in_train: Which ids have training rows.
            used: Which ids have rows at all.

        Returns:
            The axis; ids keep their order.
        """
        known = in_train.copy()
        known[:num_kept] = True
        order = np.concatenate([np.flatnonzero(known), np.flatnonzero(used & ~known)])
        index = np.full(len(ids), -1, dtype=np.int32)
        index[order] = np.arange(len(order), dtype=np.int32)
        num_train = int(known.sum())
        return cls(
            Vocabulary(ids.id_of(order[:num_train])),
            Vocabulary(ids.id_of(order[num_train:])),
            index,
        )


_NEVER = np.iinfo(np.int64).max


@dataclass(eq=False)
class _Counter:
    """Weights and first times of one axis."""

    weight: np.ndarray
    first_event: np.ndarray

    @classmethod
    def of_size(cls, size: int) -> "_Counter":
        return cls(np.zeros(size), np.full(size, _NEVER))

    def add(self, index: np.ndarray, rows: Rows) -> None:
        # Of users, a block has a few that are next to each other.
        low, high = int(index.min()), int(index.max()) + 1
        self.weight[low:high] += np.bincount(index - low, weights=rows.weight)
        time = np.where(rows.timestamp == NO_TIME, _NEVER, rows.timestamp)
        np.minimum.at(self.first_event, index, time)

    def activity(self) -> Activity:
        return Activity(self.weight, np.where(self.first_event == _NEVER, np.nan, self.first_event))


@dataclass(frozen=True, eq=False)
class PartedRows:
    """Rows with their parts.

    Attributes:
        rows: The rows.
        path: The file of their parts, one byte per row.
        users: The users.
        items: The items.
        counts: Rows of each part, and users of validation and test.
    """

    rows: CleanRows
    path: Path
    users: Axis
    items: Axis
    counts: dict[str, int]

    def blocks(self) -> Iterator[tuple[Rows, np.ndarray]]:
        """Yield rows by the indices of the dataset, whole users at a time, and their parts.

        Yields:
            Blocks, none of them empty.
        """
        with self.path.open("rb") as parts:
            for rows in self.rows.blocks():
                user, item = self.users.index[rows.user], self.items.index[rows.item]
                part = np.fromfile(parts, dtype=np.uint8, count=len(rows))
                yield replace(rows, user=user, item=item), part


def part_rows(
    rows: CleanRows,
    assign: Assign,
    path: Path,
    ids: tuple[Vocabulary, Vocabulary],
    num_kept: tuple[int, int],
) -> PartedRows:
    """Count the parts and find out which ids occur in training.

    Args:
        rows: The rows.
        assign: Says the part of each row of a block.
        path: Where to write the part of each row.
        ids: All user and item ids of the log.
        num_kept: The first users and items that stay in the vocabularies even without rows.

    Returns:
        The parts, not yet written.
    """
    in_train = [np.zeros(len(each), dtype=bool) for each in ids]
    num_rows = np.zeros(len(PART_NAMES), dtype=np.int64)
    num_users = np.zeros(len(PART_NAMES), dtype=np.int64)
    with path.open("wb") as file:
        for block, part in prefetched((block, assign(block)) for block in rows.blocks()):
            part.astype(np.uint8).tofile(file)
            num_rows += np.bincount(part, minlength=len(PART_NAMES))
            training = part == TRAIN
            in_train[0][block.user[training]] = True
            in_train[1][block.item[training]] = True
            for number in (VALIDATION, TEST):
                num_users[number] += len(first_of_user(block.user[part == number]))
    users, items = (
        Axis.of(each, kept, train, used > 0)
        for each, kept, train, used in zip(
            ids, num_kept, in_train, (rows.rows_of_user, rows.rows_of_item), strict=True
        )
    )
    counts = {f"{name}_rows": int(count) for name, count in zip(PART_NAMES, num_rows, strict=True)}
    # With the number of all users these tell how many are too short to be evaluated.
    counts |= {f"{PART_NAMES[part]}_users": int(num_users[part]) for part in (VALIDATION, TEST)}
    return PartedRows(rows, path, users, items, counts)


@dataclass(frozen=True, eq=False)
class WrittenParts:
    """What was counted while the parts were written.

    Attributes:
        users: Activity of the training users.
        items: Activity of the training items.
        counts: Rows that cannot be ranked, since their item or their user is unseen, and
            `last_training_second`, where training rows have times.
    """

    users: Activity
    items: Activity
    counts: dict[str, int] = field(default_factory=dict)


def write_parts(
    parted: PartedRows, folder: Path, see_train: Callable[[Rows], None] | None = None
) -> WrittenParts:
    """Write the files of all parts.

    Args:
        parted: The rows and their parts.
        folder: Where to write `train.arrow` and the others.
        see_train: Called with each block of training rows.

    Returns:
        What was counted on the way.
    """
    last = NO_TIME
    counters = [_Counter.of_size(len(axis.train)) for axis in (parted.users, parted.items)]
    counts = {
        f"{PART_NAMES[part]}_rows_of_unseen_{axis}": 0
        for part in (VALIDATION, TEST)
        for axis in ("items", "users")
    }
    with ExitStack() as files:
        writers = [
            files.enter_context(RowsWriter(folder / f"{name}.arrow", INDEXED_SCHEMA))
            for name in PART_NAMES
        ]
        for rows, part in prefetched(parted.blocks()):
            present = np.bincount(part, minlength=len(writers)) > 0
            for number, writer in enumerate(writers):
                if not present[number]:
                    continue
                some = rows.take(part == number)
                writer.write(some.to_indexed())
                if number == TRAIN:
                    counters[0].add(some.user, some)
                    counters[1].add(some.item, some)
                    if see_train is not None:
                        see_train(some)
                    last = max(last, int(some.timestamp.max(initial=NO_TIME)))
            _count_unseen(rows, part, len(parted.items.train), counts)
    if last != NO_TIME:
        counts["last_training_second"] = last
    return WrittenParts(counters[0].activity(), counters[1].activity(), counts)


def _count_unseen(rows: Rows, part: np.ndarray, num_items: int, counts: dict[str, int]) -> None:
    """Count targets of items outside the catalogue, and of users without a history in it."""
    known = rows.item < num_items
    for target, before, held_out in (
        (VALIDATION, (TRAIN,), VALIDATION_HISTORY),
        (TEST, (TRAIN, VALIDATION), TEST_HISTORY),
    ):
        name, targets = PART_NAMES[target], part == target
        counts[f"{name}_rows_of_unseen_items"] += int((targets & ~known).sum())
        is_history = np.zeros(len(PART_NAMES), dtype=bool)
        is_history[[*before, held_out]] = True
        seen = known & is_history[part]
        first = first_of_user(rows.user)
        has_history = np.repeat(np.logical_or.reduceat(seen, first), np.diff([*first, len(rows)]))
        counts[f"{name}_rows_of_unseen_users"] += int((targets & known & ~has_history).sum())
