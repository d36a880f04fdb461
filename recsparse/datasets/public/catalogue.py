"""Public data sets that are known by name: fetched where they are published, checked, cached.

Nothing is shipped with the package, since most licences forbid it.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.datasets.public.download import Progress, download, download_wheel
from recsparse.datasets.public.movielens import read_official_archive, read_recbole_wheel
from recsparse.datasets.public.terms import Terms
from recsparse.digest import digest
from recsparse.environment import cache_folder
from recsparse.errors import InputError, MissingFileError, nearest
from recsparse.files.atomic import atomic_folder
from recsparse.outputs.manifest import MANIFEST, write_manifest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """One place where a data set is published.

    Attributes:
        title: What it is and where.
        get: Writes the file into a folder, reports its progress, and returns the file.
        read: Turns the file into canonical tables by name.
    """

    title: str
    get: Callable[[Path, Progress], Path]
    read: Callable[[Path], dict[str, pa.Table]]


@dataclass(frozen=True)
class Expected:
    """What a canonical table must be.

    Attributes:
        rows: Number of rows.
        sha256: Its `table_sha256`.
    """

    rows: int
    sha256: str


@dataclass(frozen=True)
class PublicSet:
    """A data set known by name.

    Attributes:
        tables: What each table must be; `interactions` becomes `interactions.parquet`.
        sources: Where to look, the first choice first.
        terms: What its owners ask of its users.
    """

    tables: Mapping[str, Expected]
    sources: tuple[Source, ...]
    terms: Terms


_ARCHIVE = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
_WHEEL = "recbole==1.2.1"

KNOWN: Mapping[str, PublicSet] = {
    "movielens-100k": PublicSet(
        tables={
            "interactions": Expected(
                100_000, "a31e333ce7ae48e6b00e5dec9e99bce77eba54c215dea6253d2ef26e84bbbc05"
            ),
            "items": Expected(
                1_682, "b7b1cd9280d9f0bc2fff41483be287911b254da6954192121870da7170890618"
            ),
            "users": Expected(
                943, "c2c019217d6ed3acc7c92efc1679b0bc2697da03a7ab7d0ae6a063af7efea31f"
            ),
        },
        sources=(
            Source(
                f"the official archive {_ARCHIVE}",
                lambda folder, progress: download(_ARCHIVE, folder, progress),
                read_official_archive,
            ),
            Source(
                f"the copy in the published wheel {_WHEEL} (pip download)",
                lambda folder, progress: download_wheel(_WHEEL, folder, progress),
                read_recbole_wheel,
            ),
        ),
        terms=Terms(
            "MovieLens-100K belongs to GroupLens, University of Minnesota. It is for research; it "
            "may not be passed on, nor used for commerce, without their permission. Their text: "
            "https://files.grouplens.org/datasets/movielens/ml-100k-README.txt",
            "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and "
            "Context. ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. "
            "https://doi.org/10.1145/2827872",
        ),
    )
}


def fetch_public(
    name: str,
    out: Path | None = None,
    progress: Progress | None = None,
    known: Mapping[str, PublicSet] = KNOWN,
) -> Path:
    """Return a folder with `interactions.parquet`, `items.parquet` and `users.parquet`.

    A data set in the user's cache folder (`RECSPARSE_CACHE`, else the system's) is used again
    when it passes its check. Otherwise each source is tried in turn, and what it gives must have
    the known row counts and sha256; the folder appears whole or not at all. Next to the tables lie
    `LICENCE.txt`, `CITATION` and a manifest of all files.

    Args:
        name: Name of the data set.
        out: The folder to fill; without one, a folder in the user's cache.
        progress: Takes the bytes that have come and the bytes expected (0 when unknown).
        known: The data sets by name.

    Returns:
        The folder.

    Raises:
        InputError: If the name is not known, or `out` is in use for something else.
        MissingFileError: If no source gives the data set.

    Example:
        >>> fetch_public("movielens")
        Traceback (most recent call last):
            ...
        recsparse.errors.InputError: name must be that of a known data set, but got 'movielens'; the nearest known is 'movielens-100k'
    """  # noqa: E501
    if name not in known:
        raise InputError(
            f"name must be that of a known data set, but got {name!r}; {nearest(name, known)}"
        )
    cached = cache_folder() / name
    target = cached if out is None else out
    if _sound_tables(target, known[name]) is not None:
        _complete(target, known[name])
        return target
    if out is not None and out.exists() and not _is_empty_folder(out):
        raise InputError(
            f"--out must be a new or empty folder, or hold {name} whole, but {out} does not; "
            "name another folder"
        )
    with atomic_folder(target) as aside:
        tables = _sound_tables(cached, known[name])
        if tables is None:
            tables = _from_sources(name, known[name], aside, progress or _silent)
        for table_name, table in tables.items():
            pq.write_table(table, aside / f"{table_name}.parquet")
        _describe(aside, known[name])
    return target


def table_sha256(table: pa.Table) -> str:
    """Return the sha256 of a table's content: names, types and values, as JSON, column by column.

    The bytes of a Parquet file depend on the version that wrote it; these do not.

    Args:
        table: Columns of numbers and strings.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name]
        digest.update(json.dumps([name, str(column.type), column.to_pylist()]).encode())
    return digest.hexdigest()


def _describe(folder: Path, public_set: PublicSet) -> None:
    public_set.terms.write(folder)
    made_from = (expected.sha256 for expected in public_set.tables.values())
    write_manifest(folder, "public set", digest(*made_from))


def _complete(folder: Path, public_set: PublicSet) -> None:
    """Add the terms to a folder of an older build, where it can be written."""
    if (folder / MANIFEST).exists():
        return
    try:
        _describe(folder, public_set)
    except OSError as error:
        logger.info("the terms stay out of %s: %s", folder, error)


def _from_sources(
    name: str, public_set: PublicSet, scratch_parent: Path, progress: Progress
) -> dict[str, pa.Table]:
    failures = []
    for source in public_set.sources:
        with tempfile.TemporaryDirectory(dir=scratch_parent) as scratch:
            try:
                tables = source.read(source.get(Path(scratch), progress))
                _check(tables, public_set)
            except (MissingFileError, InputError) as error:
                logger.info("%s: %s", source.title, error)
                failures.append(f"{source.title}: {error}")
            else:
                return tables
    raise MissingFileError(
        f"{name} must come from one of its sources, but none gives it:\n  "
        + "\n  ".join(failures)
        + "\nmend the connection, or pass your own files: `make demo LOG=my_logs/ "
        "ITEMS=my_items.parquet`, or `recsparse prepare my_logs/`"
    )


def _sound_tables(folder: Path, public_set: PublicSet) -> dict[str, pa.Table] | None:
    """Return the tables of a folder, or None where they are missing, damaged or others."""
    try:
        tables = {
            name: pq.read_table(folder / f"{name}.parquet", partitioning=None)
            for name in public_set.tables
        }
        _check(tables, public_set)
    except (OSError, pa.ArrowException, InputError):
        return None
    return tables


def _check(tables: Mapping[str, pa.Table], public_set: PublicSet) -> None:
    for name, expected in public_set.tables.items():
        table = tables[name]
        if table.num_rows != expected.rows:
            raise InputError(
                f"{name} must have {expected.rows:,} rows, but has {table.num_rows:,}; "
                "the source is another edition"
            )
        sha256 = table_sha256(table)
        if sha256 != expected.sha256:
            raise InputError(
                f"the content of {name} must have the sha256 {expected.sha256}, but has {sha256}; "
                "the source is damaged or another edition"
            )


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _silent(done: int, total: int) -> None:
    """Show no progress."""
