"""The rival of `recsparse prepare`: DuckDB alone maps ids to integers and writes the rows again.

`python -m benchmarks.rivals.prepare_duckdb OUT MEMORY THREADS FILE…`, of Parquet or CSV

One statement, the fastest of those tried: with the tables of ids made first, with the rows loaded
into a table first, with enumerations in the place of joins, and with `dense_rank` it took longer.
Rows are written in any order, which saves DuckDB work.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

_QUERY = """
COPY (
    WITH log AS NOT MATERIALIZED (SELECT * FROM {read}({files})),
    users AS MATERIALIZED (
        SELECT user_id, (row_number() OVER (ORDER BY user_id) - 1)::INTEGER AS user_index
        FROM (SELECT DISTINCT user_id FROM log)
    ),
    items AS MATERIALIZED (
        SELECT item_id, (row_number() OVER (ORDER BY item_id) - 1)::INTEGER AS item_index
        FROM (SELECT DISTINCT item_id FROM log)
    )
    SELECT user_index, item_index, timestamp, rating
    FROM log JOIN users USING (user_id) JOIN items USING (item_id)
) TO {out} (FORMAT parquet)
"""


def map_ids(files: Sequence[str | Path], out: Path, memory: str, threads: int) -> int:
    """Write the rows of a log with the places of their ids among the sorted ones.

    Args:
        files: Parquet files of `user_id`, `item_id`, `timestamp` and `rating`, or CSV files of the
            same columns, whose names end in `.csv`.
        out: The Parquet file to write: `user_index`, `item_index`, `timestamp`, `rating`.
        memory: What DuckDB may hold, such as `1GB`; it spills next to `out`.
        threads: Of DuckDB.

    Returns:
        Number of rows written.
    """
    with TemporaryDirectory(dir=out.parent) as spill, duckdb.connect() as database:
        for name, value in (
            ("memory_limit", memory),
            ("threads", threads),
            ("temp_directory", spill),
            ("preserve_insertion_order", False),
            ("enable_progress_bar", False),
        ):
            database.execute(f"SET {name} = ?", [value])
        query = _QUERY.format(
            read="read_csv" if str(files[0]).endswith(".csv") else "read_parquet",
            files=f"[{', '.join(map(_quoted, files))}]",
            out=_quoted(out),
        )
        found = database.execute(query).fetchall()
    rows: int = found[0][0]
    return rows


def _quoted(path: str | Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


if __name__ == "__main__":
    target, limit, number, *logs = sys.argv[1:]
    print(f"duckdb {duckdb.__version__}, {map_ids(logs, Path(target), limit, int(number))} rows")
