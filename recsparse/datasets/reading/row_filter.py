"""Filters of a log: an SQL condition that DuckDB evaluates while it reads."""

import re
from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from duckdb.func import FunctionNullHandling, PythonUDFType

from recsparse.datasets.reading.condition import Condition
from recsparse.datasets.reading.fragments import READ_ERRORS, first_unreadable, pieces
from recsparse.datasets.reading.sql import sql_name
from recsparse.datasets.reading.timestamps import PER_UNIT, NumberUnit, to_seconds
from recsparse.errors import InputError, SchemaError, nearest

_KEPT = "__kept"
# Another name than that in the condition, so that no subquery reads a piece as if it were the log.
_ROWS = "__rows"
_PIECE_ROWS = 2**20
_FAILURES_ON_A_ROW = ("Conversion Error", "Out of Range Error")
# The seconds that a timestamp of DuckDB, in microseconds, can hold.
_MOST_SECONDS = 2**63 // 10**6 - 1


def check_condition(schema: pa.Schema, columns: Sequence[str], condition: Condition) -> None:
    """Raise an error unless a condition can be evaluated on some columns; nothing is read.

    Args:
        schema: All columns.
        columns: Those to return.
        condition: The condition.

    Raises:
        SchemaError: If names of columns differ in upper and lower case alone, or DuckDB cannot read
            a column to return.
        InputError: If the condition is none, or has an unknown column.
    """
    seen: dict[str, str] = {}
    for name in schema.names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise SchemaError(
                f"with log.where, columns must differ in more than upper and lower case, but there "
                f"are {other!r} and {name!r}; rename one"
            )
    readable = _readable(schema)
    for name in columns:
        if name not in readable.names:
            raise SchemaError(
                f"with log.where, the column {name!r} must be of a type that DuckDB reads, but "
                f"holds {schema.field(name).type}; cast it"
            )
    with _connected(condition.unit) as database:
        database.register(_ROWS, readable.empty_table())
        try:
            # Refuses what ends the condition and continues as another statement.
            duckdb.SQLExpression(condition.sql)
            database.sql(_query(readable, columns, condition)).fetchall()
        except duckdb.Error as error:
            raise InputError(_problem(condition, error, readable.names)) from error


def filtered_batches(
    source: ds.Dataset, columns: Sequence[str], condition: Condition, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a dataset for which a condition holds.

    Args:
        source: The dataset.
        columns: Those to return; the condition may use all.
        condition: One that `check_condition` has passed.
        batch_rows: Rows of a batch, at most.

    Yields:
        Batches in any order.

    Raises:
        InputError: If the condition fails on a row, or a file is damaged.
    """
    schema = _readable(source.schema)
    query = _query(schema, columns, condition)
    with _connected(condition.unit) as database:
        for piece in pieces(source.replace_schema(schema), _PIECE_ROWS):
            database.register(_ROWS, piece)
            try:
                yield from database.sql(query).to_arrow_reader(batch_rows)
            # Arrow passes on what DuckDB says as its own kind of error.
            except (duckdb.Error, *READ_ERRORS) as error:
                fails_on_a_row = str(error).startswith(_FAILURES_ON_A_ROW)
                damaged = None if fails_on_a_row else first_unreadable(piece, schema.names)
                raise damaged or InputError(_problem(condition, error, schema.names)) from error


def _connected(unit: NumberUnit) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(config={"enable_external_access": "false"})

    def seconds(texts: pa.ChunkedArray) -> pa.Array:
        return to_seconds(pa.table({"texts": texts}), "texts", "auto" if unit == "date" else unit)[
            0
        ]

    # DuckDB itself drops the offset of a text, or reads one without it in the zone of the machine.
    database.create_function(
        "text_seconds",
        seconds,
        ["VARCHAR"],
        "BIGINT",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    return database


def _readable(schema: pa.Schema) -> pa.Schema:
    """Return the columns of types that DuckDB has, which are all but a few rare ones."""
    found = []
    with duckdb.connect() as database:
        for field in schema:
            try:
                database.register("column", pa.schema([field]).empty_table())
            except duckdb.NotImplementedException:
                continue
            found.append(field)
    return pa.schema(found)


def _query(schema: pa.Schema, columns: Sequence[str], condition: Condition) -> str:
    time_column = condition.time_column
    rows, there = _ROWS, time_column in schema.names
    if there:
        quoted = sql_name(time_column)
        kind = schema.field(time_column).type
        time = _timestamp(kind, quoted, condition.unit)
        # Not with its zone, which DuckDB would replace by that of the machine.
        kept = time if pa.types.is_timestamp(kind) else quoted
        rows = f"(SELECT * REPLACE ({time} AS {quoted}), {kept} AS {_KEPT} FROM {_ROWS})"
    selected = ", ".join(
        f"{_KEPT if there and name == time_column else sql_name(name)} AS {sql_name(name)}"
        for name in columns
    )
    # On a line of its own, so that a comment in it ends there.
    return f"SELECT {selected} FROM {rows} AS log WHERE (\n{condition.sql}\n)"


def _timestamp(kind: pa.DataType, column: str, unit: NumberUnit) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _timestamp_of_number(column, pa.types.is_floating(kind), unit)
    if pa.types.is_timestamp(kind):
        # Without a zone untouched: Arrow then skips row groups by their statistics.
        return f"timezone('UTC', {column})" if kind.tz else column
    if pa.types.is_date(kind):
        return f"TRY_CAST({column} AS TIMESTAMP)"
    return f"make_timestamp(text_seconds({column}::VARCHAR) * 1000000)"


def _timestamp_of_number(column: str, has_fractions: bool, unit: NumberUnit) -> str:
    per = 1 if unit == "date" else PER_UNIT[unit]
    most = 10**14 if unit == "date" else _MOST_SECONDS * per
    kept = f"CASE WHEN {column} BETWEEN -{most} AND {most} THEN {column} END"
    # Not of integers, of which it makes floating-point numbers, which lose nanoseconds.
    ticks = f"{f'floor({kept})' if has_fractions else kept}::HUGEINT"
    if unit == "date":
        return f"make_timestamp(text_seconds({ticks}::VARCHAR) * 1000000)"
    # Rounded down, also before 1970, where DuckDB divides towards zero.
    seconds = f"({ticks} - ({ticks} % {per} + {per}) % {per}) // {per}" if per > 1 else ticks
    return f"make_timestamp(({seconds})::BIGINT * 1000000)"


def _problem(condition: Condition, error: Exception, columns: Sequence[str]) -> str:
    where, time_column = condition.sql, condition.time_column
    problem = str(error).split("\n", maxsplit=1)[0]
    hint = "see the guide to logs for examples"
    if unknown := re.search(r'Referenced column "(.+)" not found', problem):
        name = unknown[1]
        is_text = f'"{name}"' in where
        hint = f"text stands in single quotes: '{name}'" if is_text else nearest(name, columns)
    elif "TIMESTAMP" in problem:
        hint = f"compare {time_column} with a time such as '2026-01-31 12:00'"
    return (
        f"log.where must be an SQL condition on the columns of the log, but {where!r} fails: "
        f"{problem}; {hint}"
    )
