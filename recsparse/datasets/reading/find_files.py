"""Finding the files of a log: paths, folders, globs, and addresses on other filesystems."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow.dataset as ds
import pyarrow.fs as pafs
from pyarrow.csv import ConvertOptions, ParseOptions

from recsparse.errors import InputError, MissingFileError
from recsparse.files.addresses import plain
from recsparse.files.filesystems import answer_in_time, open_filesystem, readable
from recsparse.files.stand_ins import called

Paths = str | Path | Sequence[str | Path]

_PARQUET = ds.ParquetFileFormat()
# Arrow else takes whole row groups into memory at once, which pays for distant files only.
_LOCAL_PARQUET = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(
        pre_buffer=False, use_buffered_stream=True, buffer_size=2**20
    )
)
# What stands for null in a column of numbers of a file of text; in text it stands for itself.
NULL_TEXTS = (*ConvertOptions().null_values, " ")
_CSV, _TSV = (
    ds.CsvFileFormat(
        ParseOptions(delimiter=sign),
        default_fragment_scan_options=ds.CsvFragmentScanOptions(
            convert_options=ConvertOptions(null_values=list(NULL_TEXTS))
        ),
    )
    for sign in (",", "\t")
)
_FORMATS = {".csv": _CSV, ".csv.gz": _CSV, ".tsv": _TSV, ".tsv.gz": _TSV, ".parquet": _PARQUET}
_ENDINGS = tuple(_FORMATS)
_WILD = ("*", "?", "[")


@dataclass(frozen=True)
class Files:
    """The files of one path, all of one format.

    Attributes:
        filesystem: Where they are.
        names: Their paths there, sorted.
        base: The folder below which folders named `key=value` are partitions.
        format: How to read them.
    """

    filesystem: pafs.FileSystem
    names: tuple[str, ...]
    base: str
    format: ds.FileFormat


def find_files(path: str | Path) -> list[Files]:
    """Return the files at a path, those of each format apart.

    A folder gives all its Parquet and CSV files, at any depth, without those that other writers
    hide, such as `_temporary`. A glob (`*`, `?`, `[…]`) gives the files and folders that it
    matches.

    Args:
        path: A file, a folder, a glob, or an address such as `s3://bucket/folder`.

    Returns:
        At least one file.

    Raises:
        MissingFileError: If there is nothing at the path.
        InputError: If a folder has no file of a known format, or an address cannot be read.
    """
    filesystem, place = open_filesystem(path)
    with readable(path):
        return _find(filesystem, place, plain(path))


def named(paths: Paths) -> str:
    """Return paths as one line.

    Args:
        paths: One or several.

    Returns:
        Their names, by commas; of files that stand in for frames, what the frames are called.

    Example:
        >>> named(["a.parquet", "b.parquet"])
        'a.parquet, b.parquet'
    """
    return called(paths) if isinstance(paths, (str, Path)) else ", ".join(map(called, paths))


def _find(filesystem: pafs.FileSystem, place: str, path: str) -> list[Files]:
    wild = next((n for n, part in enumerate(place.split("/")) if _is_wild(part)), None)
    # Of an address the first question is the one that may have no answer.
    if wild is not None and not answer_in_time(path, lambda: _exists(filesystem, place)):
        base = "/".join(place.split("/")[:wild]) or ("/" if place.startswith("/") else ".")
        names = _matching(filesystem, base, place)
        if not names:
            raise MissingFileError(
                f"{path} must match a Parquet or CSV file or folder, but matches none; check the "
                "pattern"
            )
    else:
        names, base = _named(filesystem, place, path)
    formats = {name: _format(name) for name in sorted(names)}
    is_local = isinstance(filesystem, pafs.LocalFileSystem)
    return [
        Files(
            filesystem,
            tuple(name for name in formats if formats[name] is each),
            base,
            _LOCAL_PARQUET if is_local and each is _PARQUET else each,
        )
        for each in (_PARQUET, _CSV, _TSV)
        if each in formats.values()
    ]


def _format(name: str) -> ds.FileFormat:
    return next((made for end, made in _FORMATS.items() if name.lower().endswith(end)), _PARQUET)


def _is_wild(part: str) -> bool:
    return any(sign in part for sign in _WILD)


def _exists(filesystem: pafs.FileSystem, place: str) -> bool:
    return bool(filesystem.get_file_info(place).type != pafs.FileType.NotFound)


def _named(filesystem: pafs.FileSystem, place: str, path: str) -> tuple[list[str], str]:
    # Returns the files of a path without wildcards, and the folder above their partitions.
    info = answer_in_time(path, lambda: filesystem.get_file_info(place))
    if info.type == pafs.FileType.NotFound:
        raise MissingFileError(f"{path} must be a Parquet or CSV file or folder, but there is none")
    if info.type == pafs.FileType.File:
        return [place], str(PurePosixPath(place).parent)
    names, others = _inside(filesystem, place)
    if not names:
        raise InputError(
            f"{path} must hold Parquet or CSV files (*.parquet, *.csv), but it holds {others} "
            "others; name the folder that has them"
        )
    return names, place


def _inside(filesystem: pafs.FileSystem, folder: str) -> tuple[list[str], int]:
    """Return the data files below a folder, and how many other entries it has."""
    found = filesystem.get_file_info(pafs.FileSelector(folder, recursive=True))
    start = len(folder.rstrip("/")) + 1
    data = [
        info.path
        for info in found
        if info.type == pafs.FileType.File
        and info.path.lower().endswith(_ENDINGS)
        and not _is_hidden(info.path[start:].split("/"))
    ]
    direct = [info for info in found if "/" not in info.path[start:]]
    return data, len(direct)


def _matching(filesystem: pafs.FileSystem, base: str, pattern: str) -> list[str]:
    if not _exists(filesystem, base):
        return []
    depth = len(pattern.split("/"))
    names = []
    for info in filesystem.get_file_info(pafs.FileSelector(base, recursive=True)):
        parts = info.path.removeprefix("./").split("/")
        above = "/".join(parts[:depth])
        # What lies below a folder that matches counts as that folder's.
        below = parts[depth:]
        is_data = not below or (info.path.lower().endswith(_ENDINGS) and not _is_hidden(below))
        if info.type == pafs.FileType.File and is_data and _matches(above, pattern):
            names.append(info.path)
    return names


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith((".", "_")) for part in parts)


def _matches(path: str, pattern: str) -> bool:
    parts, wanted = path.split("/"), pattern.removeprefix("./").split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))
