"""Filters of a log: an SQL condition that DuckDB evaluates while it reads."""

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from recsparse.errors import InputError, nearest

_KEPT = "__kept"


def filtered_batches(
    source: ds.Dataset, columns: Sequence[str], where: str, time_column: str, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a dataset for which a condition holds.

    Args:
        source: The dataset.
        columns: Those to return; the condition may use all.
        where: An SQL condition; whole numbers in the time column are seconds since 1970, and it
            is a timestamp without a zone, UTC, in the condition.
        time_column: Name of the time column, which need not be there.
        batch_rows: Rows of a batch, at most.

    Yields:
        Batches in any order.

    Raises:
        InputError: If the condition cannot be understood, or fails on a row.
    """
    with duckdb.connect(config={"enable_external_access": "false"}) as database:
        database.register("log", source)
        selected = ", ".join(
            f"{_quoted(_KEPT if name == time_column else name)} AS {_quoted(name)}"
            for name in columns
        )
        rows = "log"
        if time_column in source.schema.names:
            rows = _with_timestamp(source.schema.field(time_column).type, time_column)
        # On a line of its own, so that a comment in it ends there.
        query = f"SELECT {selected} FROM {rows} WHERE (\n{where}\n)"
        try:
            yield from database.sql(query).to_arrow_reader(batch_rows)
        except duckdb.Error as error:
            hint = ""
            if isinstance(error, duckdb.BinderException):
                hint = f"; {nearest(str(error).split(chr(34))[1], source.schema.names)}"
            raise InputError(
                f"log.where must be an SQL condition on the columns of the log, but {where!r} "
                f"fails: {error}{hint}"
            ) from error


def _with_timestamp(kind: pa.DataType, name: str) -> str:
    column = _quoted(name)
    time = column
    if pa.types.is_integer(kind):
        time = f"make_timestamp({column}::BIGINT * 1000000)"
    elif pa.types.is_timestamp(kind):
        # Instants of any zone are kept as UTC by Arrow; DuckDB would show them in a local one.
        time = f"timezone('UTC', {column})" if kind.tz else column
    return f"(SELECT * REPLACE ({time} AS {column}), {column} AS {_quoted(_KEPT)} FROM log)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
