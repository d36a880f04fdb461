"""The files that a dataset was made of, known by their content, so that none counts twice."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Literal

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from recsparse.datasets.reading.fragments import READ_ERRORS, unreadable
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.reading.tables import read_table
from recsparse.errors import InputError
from recsparse.files.stand_ins import content_of_frame

logger = logging.getLogger(__name__)

# What to do with files that were taken before: refuse all, leave them out, or take them once more.
Repeats = Literal["refuse", "skip", "take"]

TAKEN = "taken.parquet"
_SCHEMA = pa.schema(
    [
        pa.field("address", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("keys", pa.string()),
        pa.field("where", pa.string()),
    ]
)
_CHUNK = 2**20
_MOST_NAMED = 10


@dataclass(frozen=True)
class TakenFile:
    """A file, and what was read of it.

    Attributes:
        address: Its absolute path or its address; of a frame, a name that its content gives it.
        bytes: Its size.
        sha256: Of its content.
        keys: The keys of its partition that are read, as in `date=2026-01-01`.
        where: The condition on its rows; None where all were read.
    """

    address: str
    bytes: int
    sha256: str
    keys: str
    where: str | None

    def repeats(self, other: "TakenFile") -> bool:
        """Say whether rows of another file would be taken again.

        Files of the same content are the same, unless keys of their partitions tell their rows
        apart, or each has a condition of its own.

        Args:
            other: A file that was taken before.

        Returns:
            Whether some may be.
        """
        same_rows = self.keys == other.keys or self.address == other.address
        apart = self.where is not None and other.where is not None and self.where != other.where
        return self.sha256 == other.sha256 and same_rows and not apart


def load_taken(folder: Path) -> list[TakenFile] | None:
    """Return the files that a dataset was made of.

    Args:
        folder: Where `TakenFiles.save` wrote them.

    Returns:
        The files; None for a dataset of an older build, which kept no record.

    Raises:
        InputError: If the record is damaged.
    """
    path = folder / TAKEN
    if not path.exists():
        return None
    return [TakenFile(**row) for row in read_table(path, _SCHEMA.names).to_pylist()]


class TakenFiles:
    """The files of some logs, compared with those that were taken before.

    Args:
        sources: The logs.
        before: Files that the dataset was made of.
    """

    def __init__(self, sources: Sequence[LogSource], before: Sequence[TakenFile] = ()) -> None:
        self._sources, self._before = list(sources), list(before)
        self._files = [
            file for number, source in enumerate(sources) for file in _files_of(source, number)
        ]
        self._hashes: dict[int, str] = {}

    def kept(self, repeats: Repeats) -> list[LogSource]:
        """Look for files that were taken before, or come twice.

        Only files whose size is that of another are read for it. Files without rows may come as
        often as they like.

        Args:
            repeats: What to do with them.

        Returns:
            The logs, without repeated files where these are left out.

        Raises:
            InputError: If there are such files and all are refused, or a file cannot be read.
        """
        if repeats == "take":
            return self._sources
        again = self._repeated()
        if not again:
            return self._sources
        if repeats == "refuse":
            raise self._refusal(again)
        self._files = [each for number, each in enumerate(self._files) if number not in again]
        self._hashes = {}
        return [self._left_of(number) for number in range(len(self._sources))]

    @contextmanager
    def hashed(self) -> Iterator[None]:
        """Hash the files in a thread while the rows are read; at the end all are known.

        Yields:
            Nothing.

        Raises:
            InputError: If a file cannot be read.
        """
        stop, pool = Event(), ThreadPoolExecutor(1)
        missing = [number for number in range(len(self._files)) if number not in self._hashes]
        hashes = pool.submit(lambda: {each: self._hash(each, stop) for each in missing})
        try:
            yield
            self._hashes |= hashes.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def save(self, folder: Path) -> None:
        """Write a record of all files, those from before among them.

        Args:
            folder: Where to.
        """
        now = [self._taken(number) for number in range(len(self._files))]
        rows = [asdict(each) for each in (*self._before, *now)]
        table = pa.Table.from_pylist(rows, _SCHEMA)
        ordered = table.sort_by([(name, "ascending") for name in _SCHEMA.names])
        pq.write_table(ordered, folder / TAKEN, compression="zstd")

    def _left_of(self, number: int) -> LogSource:
        """Return a log of those of its files that are not left out."""
        source = self._sources[number]
        schema, children = source.dataset.schema, _children(source.dataset)
        kept: list[list[ds.FileFragment]] = [[] for _ in children]
        for file in self._files:
            if file.place[0] == number:
                kept[file.place[1]].append(file.fragment)
        left = [
            ds.FileSystemDataset(fragments, schema, child.format, child.filesystem)
            for child, fragments in zip(children, kept, strict=True)
        ]
        return replace(source, dataset=left[0] if len(left) == 1 else ds.UnionDataset(schema, left))

    def _repeated(self) -> dict[int, TakenFile]:
        """Return the numbers of files that repeat one from before, and which."""
        sizes = Counter(each.size for each in self._files)
        sizes.update(each.bytes for each in self._before)
        known: dict[str, list[TakenFile]] = {}
        for each in self._before:
            known.setdefault(each.sha256, []).append(each)
        again: dict[int, TakenFile] = {}
        for number, file in enumerate(self._files):
            if sizes[file.size] == 1:
                continue
            self._hashes[number] = self._hash(number)
            taken = self._taken(number)
            alike = known.setdefault(taken.sha256, [])
            first = next((each for each in alike if taken.repeats(each)), None)
            if first is not None and file.fragment.count_rows() > 0:
                again[number] = first
            else:
                alike.append(taken)
        self._warn_of_other_content()
        return again

    def _warn_of_other_content(self) -> None:
        contents: dict[str, set[str]] = {}
        for each in self._before:
            contents.setdefault(each.address, set()).add(each.sha256)
        changed = [
            file.address
            for number, file in enumerate(self._files)
            # One of another size than all others was not hashed, and has other content.
            if file.address in contents and self._hashes.get(number) not in contents[file.address]
        ]
        if changed:
            logger.warning(
                "%d files were taken before with other content, so rows that they had then come "
                "twice: %s",
                len(changed),
                _listed(changed),
            )

    def _refusal(self, again: dict[int, TakenFile]) -> InputError:
        named = [
            self._files[number].address
            + ("" if first.address == self._files[number].address else f" (as {first.address})")
            for number, first in again.items()
        ]
        new = [each.address for number, each in enumerate(self._files) if number not in again]
        rest = f"; new are {_listed(new)}" if new else ""
        return InputError(
            f"every file must be taken once, but {len(again)} of {len(self._files)} were taken "
            f"before or are named twice: {_listed(named)}{rest}; name the new ones alone, once "
            "each, or leave out the others by --only-new, or take all once more by --again"
        )

    def _taken(self, number: int) -> TakenFile:
        file = self._files[number]
        return TakenFile(file.address, file.size, self._hashes[number], file.keys, file.where)

    def _hash(self, number: int, stop: Event | None = None) -> str:
        content, fragment = hashlib.sha256(), self._files[number].fragment
        try:
            # Not decompressed, as Arrow does by default with *.gz.
            with fragment.filesystem.open_input_stream(fragment.path, compression=None) as file:
                while chunk := file.read(_CHUNK):
                    if stop is not None and stop.is_set():
                        break
                    content.update(chunk)
        except READ_ERRORS as error:
            raise unreadable(fragment.path, fragment.format, error) from error
        return content.hexdigest()


@dataclass(frozen=True, eq=False)
class _File:
    """A file of a log, whose content was not read yet."""

    place: tuple[int, int]  # the number of its log, and of the dataset within that
    fragment: ds.FileFragment
    address: str
    size: int
    keys: str
    where: str | None


def _files_of(source: LogSource, number: int) -> Iterator[_File]:
    for place, child in enumerate(_children(source.dataset)):
        for fragment in child.get_fragments():
            info = fragment.filesystem.get_file_info(fragment.path)
            keys = ds.get_partition_keys(fragment.partition_expression)
            read = keys if source.config.where is not None else set(keys) & set(source.columns)
            yield _File(
                (number, place),
                fragment,
                _address(fragment),
                -1 if info.size is None else info.size,
                "/".join(f"{name}={keys[name]}" for name in sorted(read)),
                source.config.where,
            )


def _address(fragment: ds.FileFragment) -> str:
    if (content := content_of_frame(fragment.path)) is not None:
        return f"frame {content[:16]}"
    if isinstance(fragment.filesystem, pafs.LocalFileSystem):
        return str(Path(fragment.path).resolve())
    kind = fragment.filesystem.type_name.removeprefix("py::fsspec+")
    return f"{kind}://{fragment.path}"


def _children(whole: ds.Dataset) -> list[ds.FileSystemDataset]:
    return whole.children if isinstance(whole, ds.UnionDataset) else [whole]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
