"""Splits of a log into training, validation and test, before anything is fitted."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from recsparse.data_config import SplitConfig
from recsparse.datasets.schema import TIMESTAMP, USER_ID
from recsparse.errors import InputError

TRAIN, VALIDATION, TEST, VALIDATION_HISTORY, TEST_HISTORY = range(5)
PART_NAMES = ("train", "validation", "test", "validation_history", "test_history")


@dataclass(frozen=True)
class Split:
    """The parts of a log; every row is in exactly one.

    Attributes:
        train: Rows that everything is fitted on.
        validation: Rows to predict while choosing settings.
        test: Rows to predict once, at the end.
        validation_history: For held-out users: what a model may see of the validation users.
        test_history: For held-out users: what a model may see of the test users.
        counts: Rows of each part, and users left in training as a whole.
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    validation_history: pa.Table
    test_history: pa.Table
    counts: dict[str, int] = field(default_factory=dict)


def split_interactions(table: pa.Table, config: SplitConfig, seed: int) -> Split:
    """Part the rows of a log.

    - `random`: of each user's rows, a random share for test and for validation, in whole rows:
      users with few rows may get none.
    - `leave_last_out`: of each user's rows, the last by time for test, the last but one for
      validation; equal times in the order of the log.
    - `global_time`: the last rows of all by time for test, those before them for validation.
    - `held_out_users`: some users for test and some for validation, of whom a model sees a random
      share of rows and predicts the rest (Liang et al. 2018, https://arxiv.org/abs/1802.05814,
      section 4.2).

    Args:
        table: Canonical interactions.
        config: The kind of split and its shares.
        seed: Of the random kinds.

    Returns:
        The parts, their rows in the order of the log.

    Raises:
        InputError: If times are needed and missing, or a part comes out empty.
    """
    users = pd.factorize(table[USER_ID].to_pandas(), sort=True)[0]
    rows_of_user = np.bincount(users)
    eligible = rows_of_user[users] >= config.min_rows
    if config.kind in ("leave_last_out", "global_time"):
        _require_times(table, config.kind)
    rng = np.random.default_rng(seed)
    match config.kind:
        case "random":
            part = _random(users, rows_of_user, config, rng)
        case "leave_last_out":
            part = _leave_last_out(users, rows_of_user, table[TIMESTAMP].to_numpy())
        case "global_time":
            part = _global_time(table[TIMESTAMP].to_numpy(), config)
        case "held_out_users":
            part = _held_out_users(users, rows_of_user, config, rng)
    if config.kind != "global_time":
        part = np.where(eligible, part, TRAIN)
    return _split(table, part, config, int((rows_of_user < config.min_rows).sum()))


def _random(
    users: np.ndarray, rows_of_user: np.ndarray, config: SplitConfig, rng: np.random.Generator
) -> np.ndarray:
    place = _place_in_group(users, rng.random(len(users)))
    num_test = np.rint(rows_of_user * config.test)[users]
    num_validation = np.rint(rows_of_user * config.validation)[users]
    in_validation = place < num_test + num_validation
    return np.where(place < num_test, TEST, np.where(in_validation, VALIDATION, TRAIN))


def _leave_last_out(users: np.ndarray, rows_of_user: np.ndarray, times: np.ndarray) -> np.ndarray:
    from_end = rows_of_user[users] - 1 - _place_in_group(users, times)
    return np.where(from_end == 0, TEST, np.where(from_end == 1, VALIDATION, TRAIN))


def _global_time(times: np.ndarray, config: SplitConfig) -> np.ndarray:
    num_test, num_validation = (
        round(len(times) * share) for share in (config.test, config.validation)
    )
    part = np.full(len(times), TRAIN)
    order = np.argsort(times, kind="stable")
    first_test = len(times) - num_test
    part[order[first_test:]] = TEST
    part[order[max(first_test - num_validation, 0) : first_test]] = VALIDATION
    return part


def _held_out_users(
    users: np.ndarray, rows_of_user: np.ndarray, config: SplitConfig, rng: np.random.Generator
) -> np.ndarray:
    long_enough = rng.permutation(np.flatnonzero(rows_of_user >= config.min_rows))
    num_test, num_validation = (
        round(len(long_enough) * share) for share in (config.test, config.validation)
    )
    role = np.full(len(rows_of_user), TRAIN)
    role[long_enough[:num_test]] = TEST
    role[long_enough[num_test : num_test + num_validation]] = VALIDATION
    place = _place_in_group(users, rng.random(len(users)))
    # At least one row on either side: what the model sees, and what it has to predict.
    seen = np.clip(np.rint(rows_of_user * config.fold_in), 1, np.maximum(rows_of_user - 1, 1))
    history = np.where(role == TEST, TEST_HISTORY, VALIDATION_HISTORY)[users]
    is_history = (role[users] != TRAIN) & (place < seen[users])
    return np.where(is_history, history, role[users])


def _place_in_group(group: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Return the place of each row among those of its group, by key and then by order."""
    order = np.lexsort((np.arange(len(group)), key, group))
    first = np.concatenate([[0], np.bincount(group).cumsum()[:-1]])
    place = np.empty(len(group), dtype=np.int64)
    place[order] = np.arange(len(group)) - first[group[order]]
    return place


def _split(table: pa.Table, part: np.ndarray, config: SplitConfig, too_short: int) -> Split:
    parts = {name: table.filter(pa.array(part == number)) for number, name in enumerate(PART_NAMES)}
    empty = [name for name in PART_NAMES[:3] if parts[name].num_rows == 0]
    if empty:
        raise InputError(
            f"the split {config.kind!r} must leave rows in every part, but {' and '.join(empty)} "
            f"got none of {table.num_rows}; {too_short} users have fewer than split.min_rows = "
            f"{config.min_rows} rows; give more rows, or other shares than split.test = "
            f"{config.test} and split.validation = {config.validation}"
        )
    counts = {f"{name}_rows": part_rows.num_rows for name, part_rows in parts.items()}
    # Beside the number of all users these tell how many are too short to be evaluated.
    counts |= {f"{name}_users": len(parts[name][USER_ID].unique()) for name in PART_NAMES[1:3]}
    if config.kind != "global_time":
        counts["users_with_too_few_rows"] = too_short
    return Split(**parts, counts=counts)


def _require_times(table: pa.Table, kind: str) -> None:
    unknown = table[TIMESTAMP].null_count
    if unknown:
        raise InputError(
            f"the split {kind!r} needs a time for every row, but {unknown} of {table.num_rows} "
            "have none; name the column by log.timestamp_column, or set split.kind to random or "
            "held_out_users"
        )
