"""The key in a Parquet footer that proves which job wrote a file."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.outputs.proof import Evidence

KEY = "recsparse"
_PART = re.compile(r"part-\d{8}\.parquet")


@dataclass(frozen=True)
class Stamp:
    """What a file says about itself.

    Attributes:
        job: Digest of what it was made from.
        rows: Its rows.
    """

    job: str
    rows: int

    def metadata(self) -> dict[str, str]:
        """Return the entry of the footer."""
        return {KEY: json.dumps({"job": self.job, "rows": self.rows})}

    def put_on(self, table: pa.Table) -> pa.Table:
        """Return a table with the stamp in the metadata of its schema.

        Args:
            table: Any table.

        Returns:
            The same rows.
        """
        return table.replace_schema_metadata({**(table.schema.metadata or {}), **self.metadata()})

    @staticmethod
    def taken_off(schema: pa.Schema) -> pa.Schema:
        """Return a schema without a stamp.

        Args:
            schema: Any schema.

        Returns:
            The same columns.
        """
        metadata = {k: v for k, v in (schema.metadata or {}).items() if k != KEY.encode()}
        return schema.with_metadata(metadata or None)


@dataclass(frozen=True)
class ScoresKind:
    """Scores or lists in Parquet: one file, or a folder of nothing but parts.

    Attributes:
        is_folder: Whether it is a folder.
    """

    is_folder: bool
    name: str = "scores"
    title: str = "scores or lists"

    @classmethod
    def named(cls, *names: Path) -> "ScoresKind":
        """Return what the names of an output mean: one file where one ends in `.parquet`.

        Args:
            *names: The path as given, and where it leads.

        Returns:
            The kind.
        """
        return cls(not any(name.suffix.lower() == ".parquet" for name in names))

    def evidence(self, target: Path) -> Evidence | None:
        """Return what the footers prove.

        Args:
            target: A file, or a folder.

        Returns:
            The job, None where files of several are mixed, or a file was changed since.
        """
        if not self.is_folder:
            stamp = read_stamp(target)
            return None if stamp is None else Evidence(stamp.job or None)
        entries = sorted(target.iterdir())
        stamps = {path.name: read_stamp(path) for path in entries if _PART.fullmatch(path.name)}
        if not any(stamps.values()):
            return None
        foreign = [path.name for path in entries if stamps.get(path.name) is None]
        jobs = {stamp.job for stamp in stamps.values() if stamp is not None}
        is_whole = list(stamps) == [part_name(part) for part in range(len(stamps))]
        return Evidence(
            jobs.pop() if len(jobs) == 1 and is_whole else None, next(iter(foreign), None)
        )


def part_name(part: int) -> str:
    """Return the name of a part.

    Args:
        part: Its number, from 0.

    Returns:
        A file name; in the order of names, parts are in the order of numbers.
    """
    return f"part-{part:08d}.parquet"


def read_stamp(path: Path) -> Stamp | None:
    """Return the stamp of a file; that of a changed one names no job.

    Args:
        path: Any file.

    Returns:
        The stamp, None where there is none.
    """
    try:
        footer = pq.read_metadata(path)
        found = json.loads((footer.metadata or {})[KEY.encode()])
        stamp = Stamp(str(found["job"]), int(found["rows"]))
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
        return None
    # Arrow hands the key of a part on to files that others make from its rows.
    return stamp if footer.num_rows == stamp.rows else Stamp("", stamp.rows)
