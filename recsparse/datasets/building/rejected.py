"""Rows that were set aside, on disk until all are known."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.datasets.building.row_groups import ROWS, write_row_groups
from recsparse.datasets.reading.sql import sql_name, sql_text
from recsparse.datasets.schema import REASON
from recsparse.datasets.workspace import Workspace
from recsparse.files.atomic import atomic_file


class RejectedRows:
    """Takes rejected rows of several sources and writes them sorted.

    Args:
        work: The workspace.
    """

    def __init__(self, work: Workspace) -> None:
        self._work = work
        self._writers: dict[Path, pq.ParquetWriter] = {}
        self._finished: list[Path] = []

    def add(self, rows: pa.Table, source: int) -> None:
        """Take some rows.

        Args:
            rows: Columns of the source, and `reason`.
            source: Its number; rows of one source agree in their columns.
        """
        path = self._work.folder / f"rejected-{source}.parquet"
        if path not in self._writers:
            self._writers[path] = pq.ParquetWriter(path, rows.schema)
        if rows.num_rows:
            self._writers[path].write_table(rows)

    def add_file(self, path: Path) -> None:
        """Take the rows of a file that `save` wrote.

        Args:
            path: The file.
        """
        self._finished.append(path)

    def save(self, path: Path) -> None:
        """Write all rows, by reason and then by their columns, which are in the order of names.

        Args:
            path: The Parquet file.
        """
        for writer in self._writers.values():
            writer.close()
        paths = [*self._finished, *self._writers]
        database = self._work.database
        # By name, since sources may have other columns; types are widened where they differ.
        union = " UNION ALL BY NAME ".join(
            f"SELECT * FROM read_parquet({sql_text(str(each))})" for each in paths
        )
        # Columns by name too, since their order must not depend on that of the sources.
        names = sorted(name for name in database.sql(union).columns if name != REASON)
        columns = [sql_name(name) for name in [*names, REASON]]
        order = ", ".join(f"{each}::VARCHAR" for each in [sql_name(REASON), *columns])
        query = f"SELECT {', '.join(columns)} FROM ({union}) ORDER BY {order}"
        with atomic_file(path) as aside:
            write_row_groups(database.sql(query).to_arrow_reader(ROWS), aside)
