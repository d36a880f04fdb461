"""MovieLens-100K in one canonical form, read from either of the two places that publish it."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from recsparse.errors import InputError

INTERACTIONS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("rating", pa.float32()),
        ("timestamp", pa.int64()),
    ]
)
ITEMS = pa.schema(
    [
        ("item_id", pa.int64()),
        ("title", pa.string()),
        ("genres", pa.string()),
        ("year", pa.int64()),
    ]
)
USERS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("age", pa.int64()),
        ("gender", pa.string()),
        ("occupation", pa.string()),
        ("zip_code", pa.string()),
    ]
)

# The flags of a film, in the order of the archive's own u.genre.
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime",
    "Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance",
    "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip

_FILM = ("item_id", "full_title", "release_date", "video_release_date", "url")
# "Title (1995)", and "Title (1995) (V)" for a film that came out on video.
_YEAR_AT_END = r"\s*\((?P<year>[0-9]{4})\)(?: \(V\))?\s*$"
_WHEEL_FILM = ("item_id", "title", "parenthesis", "genres")
# So the wheel spells the title of the one film without a name.
_NAMELESS = "unkonwn"
_WHEEL_FOLDER = "recbole/dataset_example/ml-100k"


def read_official_archive(archive: Path) -> dict[str, pa.Table]:
    """Return the canonical tables from GroupLens' own `ml-100k.zip`.

    Args:
        archive: The zip file.

    Returns:
        Tables `interactions`, `items` and `users`; see `canonical_tables`.

    Raises:
        InputError: If the file is not that archive or is damaged.
    """
    with _opened(archive) as files:
        ratings = _read(files, "ml-100k/u.data", "\t", INTERACTIONS.names)
        films = _read(files, "ml-100k/u.item", "|", (*_FILM, *GENRES), "latin-1")
        users = _read(files, "ml-100k/u.user", "|", USERS.names)
    flags = zip(*(films[genre].to_pylist() for genre in GENRES), strict=True)
    genres = [
        " ".join(genre for genre, flag in zip(GENRES, film, strict=True) if flag == "1")
        for film in flags
    ]
    return canonical_tables(ratings, films.append_column("genres", [genres]), users)


def read_recbole_wheel(wheel: Path) -> dict[str, pa.Table]:
    """Return the canonical tables from the copy in the wheel of RecBole 1.2.1.

    That copy puts a title's last parenthesis, in most cases the year, into a column of its own.

    Args:
        wheel: The wheel.

    Returns:
        Tables `interactions`, `items` and `users`; see `canonical_tables`.

    Raises:
        InputError: If the file is not that wheel or is damaged.
    """
    with _opened(wheel) as files:
        ratings = _read(files, f"{_WHEEL_FOLDER}/ml-100k.inter", "\t", INTERACTIONS.names, skip=1)
        films = _read(files, f"{_WHEEL_FOLDER}/ml-100k.item", "\t", _WHEEL_FILM, skip=1)
        users = _read(files, f"{_WHEEL_FOLDER}/ml-100k.user", "\t", USERS.names, skip=1)
    joined = pc.binary_join_element_wise(films["title"], " (", films["parenthesis"], ")", "")
    nameless = pc.equal(films["title"], _NAMELESS)
    titles = pc.if_else(nameless, "unknown", joined)
    return canonical_tables(ratings, films.append_column("full_title", titles), users)


def canonical_tables(ratings: pa.Table, films: pa.Table, users: pa.Table) -> dict[str, pa.Table]:
    """Return tables that are equal whatever place they came from.

    `interactions` (user_id, item_id, rating, timestamp in seconds since 1970, UTC) is sorted by
    user, time and item; `items` (item_id, title without the year, genres with spaces between
    them, year or null) and `users` by their id.

    Args:
        ratings: The columns of `interactions`, as text.
        films: `item_id`, `full_title` with the year at its end, and `genres`, as text.
        users: The columns of `users`, as text.

    Returns:
        Tables `interactions`, `items` and `users`.

    Raises:
        InputError: If a number is not one.
    """
    found = pc.extract_regex(films["full_title"], pattern=_YEAR_AT_END)
    items = pa.table(
        {
            "item_id": films["item_id"],
            "title": pc.replace_substring_regex(films["full_title"], _YEAR_AT_END, ""),
            "genres": films["genres"],
            "year": pc.struct_field(found, "year"),
        }
    )
    try:
        return {
            "interactions": ratings.cast(INTERACTIONS).sort_by(
                [(name, "ascending") for name in ("user_id", "timestamp", "item_id")]
            ),
            "items": items.cast(ITEMS).sort_by("item_id"),
            "users": users.cast(USERS).sort_by("user_id"),
        }
    except pa.ArrowInvalid as error:
        raise InputError(f"the columns must hold numbers, but {error}; fetch them again") from error


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as files:
            yield files
    except (zipfile.BadZipFile, zlib.error, KeyError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{archive.name} must be a whole MovieLens-100K archive, but {error}"
        ) from error


def _read(
    files: zipfile.ZipFile,
    member: str,
    delimiter: str,
    names: Sequence[str],
    encoding: str = "utf-8",
    skip: int = 0,
) -> pa.Table:
    """Read a member as columns of text; `skip` lines at its head are left out."""
    with files.open(member) as file:
        return csv.read_csv(
            file,
            csv.ReadOptions(column_names=list(names), skip_rows=skip, encoding=encoding),
            csv.ParseOptions(delimiter=delimiter, quote_char=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
