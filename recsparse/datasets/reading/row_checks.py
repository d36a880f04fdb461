"""Checks of the rows of a log: what is good becomes canonical, what is not gets a reason."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.timestamps import NumberUnit, TimeCounts, read_times
from recsparse.datasets.schema import (
    ID_KINDS,
    REASON,
    id_type,
    interactions_schema,
    is_blank,
    to_ids,
)
from recsparse.errors import SchemaError

# By number, from 1; of several the first one counts.
REASONS = (
    "user id is null",
    "item id is null",
    "user id is blank",
    "item id is blank",
    "weight is not finite",
    "weight is negative",
    "timestamp cannot be read",
    "timestamp is before 1970 or after 2099",
    "rating is infinite",
)


@dataclass(frozen=True, eq=False)
class CheckedBatch:
    """Some rows of a log, checked.

    Attributes:
        good: Canonical columns: `user_id`, `item_id`, `weight`, `timestamp` (seconds since 1970,
            UTC, null where unknown), `rating`; then the further columns that were named.
        rejected: The rows set aside, with their own columns and a `reason`.
        reasons: Rows set aside, by reason.
        below_min_rating: Rows left out for their rating.
        other_events: Rows left out since their type of event has no weight.
        rows_read: Rows that passed the filter of the log.
        times: How many of the times cannot be seconds.
    """

    good: pa.Table
    rejected: pa.Table
    reasons: dict[str, int]
    below_min_rating: int
    other_events: int
    rows_read: int
    times: TimeCounts = field(default_factory=TimeCounts)


def check_rows(
    raw: pa.Table,
    config: LogConfig,
    extra: Sequence[str] = (),
    unit: NumberUnit | None = None,
) -> CheckedBatch:
    """Check rows and give them the canonical columns.

    Args:
        raw: Rows of a log.
        config: Names of the columns, weights of events and the lowest rating.
        extra: Further columns to keep, as strings.
        unit: What numbers in the time column count; None for what the configuration says.

    Returns:
        The rows, by what became of them.

    Raises:
        SchemaError: If a column is of a type that cannot be read.
    """
    user, item = (
        to_ids(raw[name], f"the column {name!r}", ID_KINDS[config.id_type])
        for name in (config.user_column, config.item_column)
    )
    weight = _numbers(raw, config.weight_column, unknown=1.0)
    rating = _numbers(raw, config.rating_column, unknown=np.nan)
    times = read_times(raw, config.timestamp_column, unit or config.timestamp_unit)
    negative = weight < 0
    if config.event_weights:
        event_weight, is_other = _event_weights(raw, config)
        with np.errstate(over="ignore", invalid="ignore"):
            weight = weight * event_weight
    faults = (
        _is_null(user), _is_null(item), is_blank(user), is_blank(item), ~np.isfinite(weight),
        negative, times.unreadable, times.implausible, np.isinf(rating),
    )  # fmt: skip
    reason = np.zeros(raw.num_rows, dtype=np.uint8)
    for number, fault in reversed(list(enumerate(faults, start=1))):
        reason[fault] = number
    kept = reason == 0
    other_events = _leave_out(kept, is_other) if config.event_weights else 0
    below = 0
    if config.min_rating is not None:
        below = _leave_out(kept, ~_reaches(raw[config.rating_column], config.min_rating))
    schema = interactions_schema(user.type, item.type)
    columns = [user, item, pa.array(weight), times.seconds, pa.array(rating, from_pandas=True)]
    table = pa.table(columns, schema=schema)
    for name in extra:
        table = table.append_column(name, _texts(raw, name))
    counts = np.bincount(reason, minlength=len(REASONS) + 1)
    return CheckedBatch(
        good=table if kept.all() else table.filter(pa.array(kept)),
        rejected=_rejected(raw, reason),
        reasons={
            REASONS[number - 1]: int(counts[number]) for number in np.flatnonzero(counts) if number
        },
        below_min_rating=below,
        other_events=other_events,
        rows_read=raw.num_rows,
        times=TimeCounts.of(times),
    )


def _reaches(ratings: pa.ChunkedArray, lowest: float) -> np.ndarray:
    """Say where a rating, as exact as the file has it, is no lower than the lowest; null is not."""
    found = ratings.combine_chunks()
    if pa.types.is_decimal(found.type):
        coded = found.dictionary_encode()
        exact = Decimal(repr(lowest))
        reached = [value >= exact for value in coded.dictionary.to_pylist()]
        return np.append(reached, False)[coded.indices.fill_null(len(reached)).to_numpy()]
    if pa.types.is_integer(found.type):
        found = pc.fill_null(found, 0).to_numpy() >= math.ceil(lowest)
        return found & ratings.is_valid().to_numpy()
    values = found.cast(pa.float64()).to_numpy(zero_copy_only=False)
    # Of single precision, both are rounded alike: 4.1 in it is less than 4.1 in double.
    rounded = {pa.float32(): np.float32, pa.float16(): np.float16}.get(ratings.type, np.float64)
    reached_values: np.ndarray = values >= rounded(lowest)
    return reached_values


def _texts(raw: pa.Table, name: str) -> pa.ChunkedArray:
    try:
        return raw[name].cast(pa.string())
    except pa.ArrowException as error:
        raise SchemaError(
            f"the column {name!r} must hold text or what can be written as text, but holds "
            f"{raw[name].type} ({error}); cast it"
        ) from error


def _leave_out(kept: np.ndarray, unwanted: np.ndarray) -> int:
    """Unmark rows that are not wanted, and return how many of those kept they were."""
    before = np.count_nonzero(kept)
    kept &= ~unwanted
    return int(before - np.count_nonzero(kept))


def _rejected(raw: pa.Table, reason: np.ndarray) -> pa.Table:
    bad = np.flatnonzero(reason)
    names = np.array(("", *REASONS), dtype=object)[reason[bad]]
    return raw.take(pa.array(bad)).append_column(REASON, pa.array(names, pa.string()))


def _is_null(ids: pa.Array) -> np.ndarray:
    if ids.null_count == 0:
        return np.zeros(len(ids), dtype=bool)
    found: np.ndarray = pc.is_null(ids).to_numpy(zero_copy_only=False)
    return found


def _event_weights(raw: pa.Table, config: LogConfig) -> tuple[np.ndarray, np.ndarray]:
    # Returns the weight of each row's type of event, and where it has none, which counts as 1.
    name, kind = config.event_column, raw[config.event_column].type
    if id_type(kind) is None and not pa.types.is_null(kind):
        raise SchemaError(
            f"the column {name!r} must hold text or integers, but holds {kind}; cast it"
        )
    names = pa.array(config.event_weights, pa.string())
    place = pc.index_in(raw[name].cast(pa.string()), value_set=names).fill_null(len(names))
    index = place.to_numpy()
    with np.errstate(over="ignore"):  # as in `_numbers`
        weights = np.array([*config.event_weights.values(), 1.0], dtype=np.float32)
    return weights[index], index == len(names)


def _numbers(raw: pa.Table, name: str, unknown: float) -> np.ndarray:
    # Null and a column that is not there become `unknown`; NaN stays NaN.
    if name not in raw.column_names:
        return np.full(raw.num_rows, unknown, dtype=np.float32)
    column = raw[name]
    kinds = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal,
        pa.types.is_null,
    )  # fmt: skip
    if not any(kind(column.type) for kind in kinds):
        raise SchemaError(
            f"the column {name!r} must hold numbers, but holds {column.type}; cast it"
        )
    exact = column.cast(pa.float64(), safe=False).fill_null(unknown).to_numpy()
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and set aside as such
        values: np.ndarray = exact.astype(np.float32)
    return values
