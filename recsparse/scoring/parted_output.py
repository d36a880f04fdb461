"""Parquet outputs written part by part; a killed job resumes with the first part not yet there."""

import logging
import re
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.toml_writer import write_toml
from recsparse.errors import OutputError
from recsparse.files.atomic import atomic_file, remove, remove_or_warn
from recsparse.outputs.claim import Output, require_own_files
from recsparse.scoring.stamp import Stamp, part_name, read_stamp

logger = logging.getLogger(__name__)

ENDING = ".parts"
_MANIFEST = "job.toml"
# What a job writes into the folder, and what it leaves there where it is killed.
_OWN = re.compile(r"\.?((part|group)-\d{8}\.parquet|job\.toml)(\.\d+\.[0-9a-f]{8})?")


class PartedOutput:
    """A Parquet file or folder in the making.

    Finished parts lie in `<out>.parts` until `publish` moves them to where the output was claimed.
    What is there already stays until then.

    Args:
        output: The claimed place; unfinished parts of another job are removed, with a warning.

    Raises:
        OutputError: If the folder of parts holds files that are not ours.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.folder = output.working_folder(ENDING)
        self._rows: dict[int, int] = {}
        # Another writer of the same job, on a machine that the lock does not reach, sees it.
        self._own = {
            "kind": output.job.command,
            "sha256": output.job.digest,
            "writer": uuid.uuid4().hex,
        }
        self._is_begun = False
        self._take_over()

    def is_done(self, part: int, rows: int | None = None) -> bool:
        """Say whether a part is complete; a bad one is removed, with a warning.

        Args:
            part: Its number, from 0.
            rows: Its rows, where they are known.

        Returns:
            True if an earlier, interrupted run of this job wrote it.
        """
        path = self._path(part)
        if not path.is_file():
            return False
        found = self._sound_rows(path)
        if found is None or rows not in (None, found):
            logger.warning("%s is damaged; it is made again", path)
            remove(path)
            return False
        self._rows[part] = found
        return True

    def write(self, part: int, table: pa.Table) -> None:
        """Write one part aside and rename it into place.

        Args:
            part: Its number, from 0.
            table: Its rows.

        Raises:
            OutputError: If it cannot be written, the parts before it stay for the next try; or if
                the folder has come to belong to another job.
        """
        self._write(self._path(part), table)
        self._rows[part] = table.num_rows

    def keep(self, group: int, table: pa.Table) -> None:
        """Write what parts will be made of, so that a job which is killed need not make it again.

        Args:
            group: Its number, from 0.
            table: Its rows; they are no rows of the output.

        Raises:
            OutputError: As for `write`.
        """
        self._write(self._group(group), table)

    def kept(self, group: int) -> pa.Table | None:
        """Return what an earlier, interrupted run of this job kept.

        Args:
            group: Its number, from 0.

        Returns:
            Its rows; None where there is none, or a damaged one.
        """
        path = self._group(group)
        if not path.is_file() or self._sound_rows(path) is None:
            return None
        return self._read(path)

    def _write(self, path: Path, table: pa.Table) -> None:
        self._begin()
        with atomic_file(path) as aside:
            stamp = Stamp(self.output.job.digest, table.num_rows)
            pq.write_table(stamp.put_on(table), aside, compression="zstd", write_page_checksum=True)
            self._require_own()

    def publish(self, rows: int | None = None) -> None:
        """Count the finished parts and move them to their final place.

        Args:
            rows: Rows of the whole output, where they are known.

        Raises:
            OutputError: If a part or a row is missing or too many, nothing is published; or if the
                output cannot be written, the parts stay for the next try.
        """
        self._begin()
        self._require_complete(rows)
        if not self.output.kind.is_folder:
            with self.output.reporter.task("joining the parts"):
                self._join_parts()
            remove_or_warn(self.folder)
            return
        for other in set(self.folder.iterdir()) - set(self._parts()):
            other.unlink()  # the job's description, and what a killed job was writing
        try:
            self.output.publish(self.folder)
        except OutputError:
            self._describe()  # so that the next try takes the parts over
            raise

    def discard(self) -> None:
        """Throw away all parts.

        Raises:
            OutputError: If something stays.
        """
        remove(self.folder)
        self._rows, self._is_begun = {}, False

    def _join_parts(self) -> None:
        parts = self._parts()
        schema = Stamp.taken_off(pq.read_schema(parts[0]))
        with self.output.file() as aside:
            with pq.ParquetWriter(
                aside, schema, compression="zstd", write_page_checksum=True
            ) as writer:
                for part in parts:
                    writer.write_table(self._read(part))
                rows = sum(self._rows.values())
                writer.add_key_value_metadata(Stamp(self.output.job.digest, rows).metadata())
            found = pq.read_metadata(aside).num_rows
            if found != rows:
                raise OutputError(f"{self.output.target} must get {rows} rows, but got {found}")

    def _read(self, part: Path) -> pa.Table:
        try:
            return pq.read_table(part, page_checksum_verification=True, partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise OutputError(
                f"{part} must be the part that was written there, but {error}; nothing was "
                "published; start the job again, which makes it anew"
            ) from error

    def _require_complete(self, rows: int | None) -> None:
        wanted = {self._path(part): rows for part, rows in self._rows.items()}
        found = {path: self._stamped_rows(path) for path in self._parts()}
        if found != wanted or len(self._rows) != max(self._rows, default=-1) + 1:
            raise OutputError(
                f"{self.folder} must hold {len(wanted)} parts of {sum(wanted.values())} rows that "
                f"this job wrote, but holds {len(found)} of {sum(n or 0 for n in found.values())}; "
                "nothing was published; start the job again"
            )
        if rows is not None and rows != sum(wanted.values()):
            raise OutputError(
                f"{self.output.target} must get {rows} rows, but the parts have "
                f"{sum(wanted.values())}; nothing was published; start the job again"
            )

    def _stamped_rows(self, path: Path) -> int | None:
        stamp = read_stamp(path)
        return stamp.rows if stamp is not None and stamp.job == self.output.job.digest else None

    def _sound_rows(self, path: Path) -> int | None:
        """Return the rows of a part of this job, read to its end; None where it is damaged."""
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                rows = sum(batch.num_rows for batch in file.iter_batches())
        except (OSError, pa.ArrowException):
            return None
        return rows if self._stamped_rows(path) == rows else None

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    def _path(self, part: int) -> Path:
        return self.folder / part_name(part)

    def _group(self, group: int) -> Path:
        return self.folder / f"group-{group:08d}.parquet"

    def _begin(self) -> None:
        """Make the folder, or take it over from an interrupted run, at the first write."""
        if self._is_begun:
            self._require_own()
            return
        self._describe()
        self._is_begun = True

    def _describe(self) -> None:
        with atomic_file(self.folder / _MANIFEST) as aside:
            write_toml(aside, self._own)

    def _require_own(self) -> None:
        if self._described() != self._own:
            raise OutputError(
                f"{self.folder} must be left to this job, but another one has taken or removed it; "
                "nothing was published; let one job write an output at a time"
            )

    def _take_over(self) -> None:
        require_own_files(self.folder, self._is_own)
        if not self.folder.exists():
            return
        found = self._described()
        if {**found, "writer": ""} == {**self._own, "writer": ""}:
            return
        if self._parts():
            logger.warning(
                "%s holds unfinished parts of another job; they are removed", self.folder
            )
        self.discard()

    def _is_own(self, name: str) -> bool:
        # Without its description, each part has to prove itself.
        path = self.folder / name
        is_proved = (self.folder / _MANIFEST).exists() or name[0] == "."
        return _OWN.fullmatch(name) is not None and (is_proved or read_stamp(path) is not None)

    def _described(self) -> dict[str, str]:
        try:
            return tomllib.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            return {}


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
