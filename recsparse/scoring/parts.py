"""Parquet outputs written part by part; a killed job goes on with the first part not yet there."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.atomic import atomic_file, publish_folder
from recsparse.toml_file import write_toml

_MANIFEST = "job.toml"


class PartedOutput:
    """A Parquet file or folder in the making.

    Finished parts lie in `<out>.parts` until `publish` moves them: to one file where `out` ends in
    `.parquet`, else to a folder. What is at `out` already stays until then.

    Args:
        out: The final file or folder.
        job: What the parts depend on; parts of another job are thrown away.
    """

    def __init__(self, out: str | Path, job: dict[str, str]) -> None:
        self.out = Path(out)
        self.folder = self.out.with_name(self.out.name + ".parts")
        if not self._belongs_to(job):
            _clear(self.folder)
            self.folder.mkdir(parents=True)
            write_toml(self.folder / _MANIFEST, job)

    def is_done(self, part: int) -> bool:
        """Say whether a part is complete.

        Args:
            part: Its number, from 0.

        Returns:
            True if an earlier, interrupted job wrote it.
        """
        return self._path(part).is_file()

    def write(self, part: int, table: pa.Table) -> None:
        """Write one part aside and rename it into place.

        Args:
            part: Its number, from 0.
            table: Its rows.

        Raises:
            OutputError: If the disk is full.
        """
        with atomic_file(self._path(part)) as aside:
            pq.write_table(table, aside, compression="zstd")

    def publish(self) -> None:
        """Move the finished parts to their final place.

        Raises:
            OutputError: If the disk is full; the parts stay for the next try.
        """
        if self.out.suffix == ".parquet":
            self._join_parts()
            _clear(self.folder)
            return
        (self.folder / _MANIFEST).unlink()
        publish_folder(self.folder, self.out)

    def _join_parts(self) -> None:
        parts = sorted(self.folder.glob("part-*.parquet"))
        schema = pq.read_schema(parts[0])
        with (
            atomic_file(self.out) as aside,
            pq.ParquetWriter(aside, schema, compression="zstd") as writer,
        ):
            for part in parts:
                writer.write_table(pq.read_table(part))

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:05d}.parquet"

    def _belongs_to(self, job: dict[str, str]) -> bool:
        try:
            return tomllib.loads((self.folder / _MANIFEST).read_text(encoding="utf-8")) == job
        except (OSError, tomllib.TOMLDecodeError):
            return False


def rechunk(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield tables of exactly `rows` rows, but for the last, whatever the size of the batches.

    Args:
        batches: Record batches of one schema.
        rows: Rows a table, at least 1.

    Yields:
        Tables, in order; none for no rows.
    """
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        while sum(map(len, waiting)) >= rows:
            table = pa.Table.from_batches(waiting)
            yield table[:rows]
            waiting = table[rows:].to_batches()
    if sum(map(len, waiting)):
        yield pa.Table.from_batches(waiting)


def _clear(folder: Path) -> None:
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        path.unlink()
    if folder.is_dir():
        folder.rmdir()
