"""Splits of a log into training, validation and test, before anything is fitted."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from recsparse.config.data import SplitConfig
from recsparse.config.section import in_utc
from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys, place_of_user
from recsparse.datasets.indexed_rows import Rows, first_of_user
from recsparse.datasets.parts import TEST, TEST_HISTORY, TRAIN, VALIDATION, VALIDATION_HISTORY
from recsparse.datasets.workspace import Workspace
from recsparse.errors import InputError

# The part of each row of a block of whole users.
Assign = Callable[[Rows], np.ndarray]


def plan_split(rows: CleanRows, keys: Keys, config: SplitConfig, work: Workspace) -> Assign:
    """Decide how rows are parted; what follows needs no more than one block at a time.

    - `random`: of each user's rows, a random share for test and for validation, in whole rows:
      users with few rows may get none. With `folds`, the test is one fold of each user's rows.
    - `leave_last_out`: of each user's rows, the last ones by time for test, those before them for
      validation.
    - `global_time`: rows from a time on for test, those of a stretch before it for validation. By
      shares, the time is the latest from which on there are so many rows; rows of the same second
      stay together.
    - `held_out_users`: some users for test and some for validation, of whom a model sees a random
      share of rows and predicts the rest (Liang et al. 2018, https://arxiv.org/abs/1802.05814,
      section 4.2).
    - `given`: the log says it; without validation rows, a random share of each user's training
      rows.

    Ties in time are broken by the item's id, then the rating, then the weight. Random choices
    depend on the seed and the ids alone.

    Args:
        rows: The rows to part.
        keys: Random numbers of the ids.
        config: The kind of split and its shares.
        work: Sorts times.

    Returns:
        A function that says the part of each row of a block of whole users.

    Raises:
        InputError: If times are needed and missing.
    """
    if config.kind in ("leave_last_out", "global_time"):
        _require_times(rows, config.kind)
    if config.kind == "global_time":
        return _by_time(*_boundaries(rows, config, work))
    if config.kind == "held_out_users":
        return _held_out_users(_roles(rows.rows_of_user, keys, config), keys, config)
    if config.kind == "leave_last_out":
        return _eligible(_leave_last_out(config), least_rows(config))
    if config.kind == "given":
        return _given(rows, keys, config)
    return _eligible(_random(keys, config), least_rows(config))


def least_rows(config: SplitConfig) -> int:
    """Return how many rows a user needs to have any outside of training.

    Args:
        config: The kind of split.

    Returns:
        `min_rows`, or more where a row for training would not be left.
    """
    if config.kind == "leave_last_out":
        return max(config.min_rows, 2 * config.last + 1)
    return config.min_rows


def _require_times(rows: CleanRows, kind: str) -> None:
    if rows.without_time:
        raise InputError(
            f"the split {kind!r} needs a time for every row, but {rows.without_time} of "
            f"{rows.num_rows} have none; name the column by log.timestamp_column, or set "
            "split.kind to random or held_out_users"
        )


def _eligible(assign: Assign, min_rows: int) -> Assign:
    """Leave users with few rows in training as a whole."""

    def parts(rows: Rows) -> np.ndarray:
        return np.where(_rows_of_user(rows) < min_rows, TRAIN, assign(rows))

    return parts


def _random(keys: Keys, config: SplitConfig) -> Assign:
    def parts(rows: Rows) -> np.ndarray:
        size, place = _rows_of_user(rows), place_of_user(rows, keys.of_rows(rows))
        if config.folds is None:
            num_test = np.rint(size * config.test)
            place = place - num_test
            is_test = place < 0
        else:
            # The user's key turns the folds, so that short users do not all fill the first ones.
            turn = (keys.users[rows.user] % np.uint64(config.folds)).astype(np.int64)
            fold = (place + turn) % config.folds
            is_test = fold == config.fold
            place = _places_among(rows, place, ~is_test)
        in_validation = ~is_test & (place < np.rint(size * config.validation))
        return np.where(is_test, TEST, np.where(in_validation, VALIDATION, TRAIN))

    return parts


def _places_among(rows: Rows, place: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the place of each chosen row among those of its user, in the order of `place`."""
    first = first_of_user(rows.user)
    order = np.empty(len(rows), dtype=np.int64)
    order[np.repeat(first, np.diff([*first, len(rows)])) + place] = np.arange(len(rows))
    before = np.concatenate([[0], np.cumsum(chosen[order])])
    result = np.empty(len(rows), dtype=np.int64)
    result[order] = before[:-1] - np.repeat(before[first], np.diff([*first, len(rows)]))
    return result


def _leave_last_out(config: SplitConfig) -> Assign:
    def parts(rows: Rows) -> np.ndarray:
        first = first_of_user(rows.user)
        last = np.repeat(np.append(first[1:], len(rows)), np.diff([*first, len(rows)])) - 1
        from_end = (last - np.arange(len(rows))) // config.last
        return np.where(from_end == 0, TEST, np.where(from_end == 1, VALIDATION, TRAIN))

    return parts


def _by_time(validation_from: float, test_from: float) -> Assign:
    def parts(rows: Rows) -> np.ndarray:
        later = np.where(rows.timestamp >= test_from, TEST, VALIDATION)
        return np.where(rows.timestamp >= validation_from, later, TRAIN)

    return parts


def _boundaries(rows: CleanRows, config: SplitConfig, work: Workspace) -> tuple[float, float]:
    if config.validation_from is not None and config.test_from is not None:
        first, second = (in_utc(time) for time in (config.validation_from, config.test_from))
        return first.timestamp(), second.timestamp()
    work.database.execute("CREATE OR REPLACE TABLE seconds (timestamp BIGINT, num_rows BIGINT)")
    for block in rows.blocks():
        times, counts = np.unique(block.timestamp, return_counts=True)
        work.database.register("incoming", pa.table({"timestamp": times, "num_rows": counts}))
        work.database.execute("INSERT INTO seconds SELECT * FROM incoming")
    num_test = round(rows.num_rows * config.test)
    num_later = num_test + round(rows.num_rows * config.validation)
    return _latest_before(num_later, work), _latest_before(num_test, work)


def _latest_before(num_rows: int, work: Workspace) -> float:
    """Return the latest time from which on there are so many rows."""
    found = work.database.execute(
        """SELECT max(timestamp) FROM (
            SELECT timestamp, sum(sum(num_rows)) OVER (ORDER BY timestamp DESC) AS from_here
            FROM seconds GROUP BY timestamp
        ) WHERE from_here >= ?""",
        [max(num_rows, 1)],
    ).fetchall()
    return float(found[0][0])


def _roles(rows_of_user: np.ndarray, keys: Keys, config: SplitConfig) -> np.ndarray:
    """Say for each user whether it is for training, validation or test."""
    long_enough = np.flatnonzero(rows_of_user >= config.min_rows)
    shuffled = long_enough[np.argsort(keys.users[long_enough], kind="stable")]
    size = len(shuffled)
    if config.folds is None:
        first, num_test = 0, round(size * config.test)
    else:
        first, last = (size * fold // config.folds for fold in (config.fold, config.fold + 1))
        num_test = last - first
    role = np.full(len(rows_of_user), TRAIN)
    role[shuffled[first : first + num_test]] = TEST
    others = np.concatenate([shuffled[first + num_test :], shuffled[:first]])
    role[others[: round(size * config.validation)]] = VALIDATION
    return role


def _held_out_users(role: np.ndarray, keys: Keys, config: SplitConfig) -> Assign:
    def parts(rows: Rows) -> np.ndarray:
        size, of_row = _rows_of_user(rows), role[rows.user]
        place = place_of_user(rows, keys.of_rows(rows))
        # At least one row on either side: what the model sees, and what it has to predict.
        seen = np.clip(np.rint(size * config.fold_in), 1, np.maximum(size - 1, 1))
        history = np.where(of_row == TEST, TEST_HISTORY, VALIDATION_HISTORY)
        return np.where((of_row != TRAIN) & (place < seen), history, of_row)

    return parts


def _given(rows: CleanRows, keys: Keys, config: SplitConfig) -> Assign:
    any_validation = any((np.asarray(block.part) == VALIDATION).any() for block in rows.blocks())

    def parts(block: Rows) -> np.ndarray:
        given = np.asarray(block.part).astype(np.int64)
        if any_validation:
            return given
        training = given == TRAIN
        place = place_of_user(block, keys.of_rows(block))
        place = _places_among(block, place, training)
        first = first_of_user(block.user)
        size = np.repeat(np.add.reduceat(training, first), np.diff([*first, len(block)]))
        chosen = training & (size >= config.min_rows) & (place < np.rint(size * config.validation))
        return np.where(chosen, VALIDATION, given)

    return parts


def _rows_of_user(rows: Rows) -> np.ndarray:
    first = first_of_user(rows.user)
    size = np.diff([*first, len(rows)])
    return np.repeat(size, size)
