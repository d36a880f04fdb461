"""Parquet outputs written part by part; a killed job goes on with the first part not yet there."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.addresses import local_path
from recsparse.atomic import atomic_file, publish_folder
from recsparse.errors import OutputError
from recsparse.toml_file import write_toml

_MANIFEST = "job.toml"


class PartedOutput:
    """A Parquet file or folder in the making.

    Finished parts lie in `<out>.parts` until `publish` moves them: to one file where `out` ends in
    `.parquet`, else to a folder. What is at `out` already stays until then.

    Args:
        out: The final file or folder.
        job: What the parts depend on; parts of another job are thrown away.

    Raises:
        OutputError: If there is a folder where a file has to go, or a file in place of a folder.
    """

    def __init__(self, out: str | Path, job: dict[str, str]) -> None:
        self.out = local_path(out)
        self.job = job
        self.folder = self.out.with_name(self.out.name + ".parts")
        self._check_kind()
        if not self._belongs_to_job():
            self.discard()

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
            OutputError: If the disk is full; the parts before it stay for the next try.
        """
        if not (self.folder / _MANIFEST).is_file():
            with atomic_file(self.folder / _MANIFEST) as aside:
                write_toml(aside, self.job)
        with atomic_file(self._path(part)) as aside:
            pq.write_table(table, aside, compression="zstd")

    def publish(self) -> None:
        """Move the finished parts to their final place.

        Raises:
            OutputError: If the disk is full; the parts stay for the next try.
        """
        if self._is_one_file():
            self._join_parts()
            self.discard()
            return
        for other in set(self.folder.iterdir()) - set(self._parts()):
            other.unlink()  # the job's description, and what a killed job was writing
        publish_folder(self.folder, self.out)

    def discard(self) -> None:
        """Throw away all parts, those of earlier jobs too."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _join_parts(self) -> None:
        parts = self._parts()
        schema = pq.read_schema(parts[0])
        with (
            atomic_file(self.out) as aside,
            pq.ParquetWriter(aside, schema, compression="zstd") as writer,
        ):
            for part in parts:
                writer.write_table(pq.read_table(part))

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:08d}.parquet"

    def _is_one_file(self) -> bool:
        return self.out.suffix == ".parquet"

    def _check_kind(self) -> None:
        if self.out.exists() and self.out.is_dir() == self._is_one_file():
            wanted, found = ("file", "folder") if self._is_one_file() else ("folder", "file")
            raise OutputError(
                f"{self.out} must be a {wanted}, but there is a {found}; an output is one file if "
                "its name ends in .parquet, else a folder; give another name"
            )

    def _belongs_to_job(self) -> bool:
        try:
            found = tomllib.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            return False
        return found == self.job


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
