"""InteractionLog: Parquet files become checked interactions; doubtful rows are set aside."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.data_config import LogConfig
from recsparse.datasets.duplicates import without_duplicates
from recsparse.datasets.parquet import Paths, parquet_dataset, read_columns, require_columns
from recsparse.datasets.schema import (
    ITEM_ID,
    RATING,
    REASON,
    USER_ID,
    WEIGHT,
    interactions_schema,
    to_ids,
)
from recsparse.datasets.timestamps import to_seconds
from recsparse.errors import InputError, SchemaError


@dataclass(frozen=True)
class LogCounts:
    """What happened to the rows of a log.

    Attributes:
        rows_read: Rows in the files.
        rejected: Rows set aside, by reason.
        below_min_rating: Rows left out for their rating.
        duplicates: Rows that another one of the same user and item replaced or took up; where
            duplicates are kept, how many there are.
        rows_kept: Rows left.
    """

    rows_read: int
    rejected: dict[str, int] = field(default_factory=dict)
    below_min_rating: int = 0
    duplicates: int = 0
    rows_kept: int = 0


@dataclass(frozen=True)
class InteractionLog:
    """Checked interactions, in the order of the files.

    Attributes:
        table: Canonical columns: `user_id`, `item_id`, `weight`, `timestamp` (seconds since 1970,
            UTC, null where unknown), `rating`.
        rejected: The rows set aside, with their own columns and a `reason`.
        counts: How many rows went where.
    """

    table: pa.Table
    rejected: pa.Table
    counts: LogCounts

    @classmethod
    def read(cls, paths: Paths, config: LogConfig) -> "InteractionLog":
        """Read, check and clean a log.

        Args:
            paths: One or several Parquet files or folders.
            config: Names of the columns, and what to do with doubtful rows.

        Returns:
            The log.

        Raises:
            MissingFileError: If there is nothing at a path.
            SchemaError: If a column is missing or of a wrong type, or users and items are one.
            InputError: If a file is damaged, no row is left, or rows are bad and `strict` is set.
        """
        source = parquet_dataset(paths)
        given = [paths] if isinstance(paths, (str, Path)) else paths
        where = ", ".join(map(str, given))
        required = [config.user_column, config.item_column]
        if config.user_column == config.item_column:
            raise SchemaError(
                f"users and items must be two columns, but both are {config.user_column!r}; set "
                "log.user_column and log.item_column"
            )
        if config.min_rating is not None:
            required.append(config.rating_column)
        require_columns(source, where, required)
        optional = [config.weight_column, config.timestamp_column, config.rating_column]
        there = [name for name in optional if name in source.schema.names]
        raw = read_columns(source, [*required, *there])
        if raw.num_rows == 0:
            raise InputError(f"the log must have rows, but {where} has none")
        table, reasons = _canonical(raw, config)
        return _cleaned(raw, table, reasons, config, where)


def _canonical(raw: pa.Table, config: LogConfig) -> tuple[pa.Table, np.ndarray]:
    """Return the canonical table and the reason for rejecting each row, "" for a good one."""
    columns = {
        USER_ID: to_ids(raw[config.user_column], f"the column {config.user_column!r}"),
        ITEM_ID: to_ids(raw[config.item_column], f"the column {config.item_column!r}"),
        WEIGHT: _numbers(raw, config.weight_column, missing=1.0),
        RATING: _numbers(raw, config.rating_column, missing=np.nan),
    }
    seconds, unreadable = to_seconds(raw, config.timestamp_column)
    weights = columns[WEIGHT]
    reasons = np.full(raw.num_rows, "", dtype=object)
    for reason, bad in (
        ("timestamp cannot be read", unreadable),
        ("weight is negative", weights < 0),
        ("weight is not finite", ~np.isfinite(weights)),
        ("item id is null", pc.is_null(columns[ITEM_ID]).to_numpy(zero_copy_only=False)),
        ("user id is null", pc.is_null(columns[USER_ID]).to_numpy(zero_copy_only=False)),
    ):
        reasons[bad] = reason
    schema = interactions_schema(columns[USER_ID].type, columns[ITEM_ID].type)
    rating = pa.array(columns[RATING], pa.float32(), from_pandas=True)
    arrays = [columns[USER_ID], columns[ITEM_ID], pa.array(weights), seconds, rating]
    return pa.table(arrays, schema=schema), reasons


def _cleaned(
    raw: pa.Table, table: pa.Table, reasons: np.ndarray, config: LogConfig, where: str
) -> InteractionLog:
    bad = reasons != ""
    rejected = raw.append_column(REASON, pa.array(reasons, pa.string())).filter(pa.array(bad))
    found = pd.Series(reasons[bad]).value_counts().sort_index()
    by_reason = {str(reason): int(count) for reason, count in found.items()}
    if config.strict and bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"with strict, every row of {where} must be good, but {int(bad.sum())} of {len(bad)} "
            f"are not ({_listed(by_reason)}); the first is row {first}: "
            f"{raw.slice(first, 1).to_pylist()[0]}; mend them, or set them aside without strict"
        )
    good = table.filter(pa.array(~bad))
    liked = good
    if config.min_rating is not None:
        # Both rounded alike: 4.1 in single precision is less than 4.1 in double.
        lowest = pa.scalar(config.min_rating, pa.float32())
        liked = good.filter(pc.fill_null(pc.greater_equal(good[RATING], lowest), False))
    kept, duplicates = without_duplicates(liked, config.duplicates)
    counts = LogCounts(
        rows_read=raw.num_rows,
        rejected=by_reason,
        below_min_rating=good.num_rows - liked.num_rows,
        duplicates=duplicates,
        rows_kept=kept.num_rows,
    )
    if kept.num_rows == 0:
        raise InputError(
            f"{where} must have good rows, but of {raw.num_rows} none is left: "
            f"{_listed({**by_reason, 'rating too low': counts.below_min_rating})}"
        )
    return InteractionLog(kept, rejected, counts)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items() if count)


def _numbers(raw: pa.Table, name: str, missing: float) -> np.ndarray:
    # Null becomes NaN, a column that is not there becomes `missing`.
    if name not in raw.column_names:
        return np.full(raw.num_rows, missing, dtype=np.float32)
    column = raw[name]
    kinds = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal,
        pa.types.is_null,
    )  # fmt: skip
    if not any(kind(column.type) for kind in kinds):
        raise SchemaError(
            f"the column {name!r} must hold numbers, but holds {column.type}; cast it"
        )
    exact = column.cast(pa.float64(), safe=False).to_numpy()
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and set aside as such
        values: np.ndarray = exact.astype(np.float32)
    return values
