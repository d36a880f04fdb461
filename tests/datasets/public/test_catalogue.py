import errno
import hashlib
import zipfile
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.public.catalogue import (
    KNOWN,
    Expected,
    PublicSet,
    Source,
    fetch_public,
    table_sha256,
)
from recsparse.datasets.public.movielens import GENRES, read_official_archive
from recsparse.datasets.public.terms import CITATION, LICENCE, Terms
from recsparse.environment import cache_folder
from recsparse.errors import InputError, MissingFileError, OutputError
from recsparse.outputs.manifest import MANIFEST, read_manifest

TABLES = {
    "interactions": pa.table({"user_id": [1, 2], "item_id": [5, 5]}),
    "items": pa.table({"item_id": [5], "title": ["five"]}),
}
TERMS = Terms("Do as you like.", "Tiny et al. 2001")
EXPECTED = {name: Expected(len(table), table_sha256(table)) for name, table in TABLES.items()}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSPARSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Place:
    """A source that counts how often it is asked."""

    def __init__(self, title, tables=None, error=None):
        self.tables, self.error, self.asked = tables, error, 0
        self.source = Source(title, self.get, lambda file: self.tables)

    def get(self, folder, progress):
        self.asked += 1
        if self.error:
            raise self.error
        progress(3, 3)
        (folder / "file").write_text("x")
        return folder / "file"


def known(*places, expected=EXPECTED):
    return {"tiny": PublicSet(expected, tuple(place.source for place in places), TERMS)}


def read(folder):
    return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}


def test_the_first_source_fills_the_cache(cache):
    place, other, seen = Place("first", TABLES), Place("second", TABLES), []
    folder = fetch_public(
        "tiny", known=known(place, other), progress=lambda *step: seen.append(step)
    )
    assert folder == cache / "tiny"
    assert read(folder) == TABLES
    assert (place.asked, other.asked) == (1, 0)
    assert seen == [(3, 3)]


def test_the_next_source_serves_where_the_first_is_out_of_reach():
    first, second = Place("first", error=MissingFileError("no route")), Place("second", TABLES)
    assert read(fetch_public("tiny", known=known(first, second))) == TABLES
    assert (first.asked, second.asked) == (1, 1)


def test_a_sound_cache_is_used_again(cache):
    place = Place("first", TABLES)
    fetch_public("tiny", known=known(place))
    fetch_public("tiny", known=known(place))
    assert place.asked == 1


@pytest.mark.parametrize("damage", ["truncated", "other", "missing"])
def test_a_damaged_cache_is_fetched_anew(cache, damage):
    place = Place("first", TABLES)
    file = fetch_public("tiny", known=known(place)) / "items.parquet"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "other":
        pq.write_table(TABLES["items"].slice(0, 0), file)
    else:
        file.unlink()
    assert read(fetch_public("tiny", known=known(place))) == TABLES
    assert place.asked == 2


def test_a_folder_is_filled_from_the_cache_without_a_source(tmp_path):
    place = Place("first", TABLES)
    fetch_public("tiny", known=known(place))
    assert read(fetch_public("tiny", tmp_path / "out", known=known(place))) == TABLES
    assert place.asked == 1


def test_a_folder_is_filled_without_a_cache(tmp_path, cache):
    place = Place("first", TABLES)
    folder = fetch_public("tiny", tmp_path / "out", known=known(place))
    assert folder == tmp_path / "out"
    assert read(folder) == TABLES
    assert not cache.exists()


def test_a_folder_that_holds_the_set_is_left_as_it_is(tmp_path):
    out = tmp_path / "out"
    fetch_public("tiny", out, known=known(Place("first", TABLES)))
    (out / "notes.txt").write_text("mine")
    assert fetch_public("tiny", out, known=known()) == out
    assert (out / "notes.txt").read_text() == "mine"


def test_the_terms_lie_beside_the_tables_and_the_manifest_knows_all(cache):
    folder = fetch_public("tiny", known=known(Place("first", TABLES)))
    assert (folder / LICENCE).read_text() == "Do as you like.\n"
    assert (folder / CITATION).read_text() == "Tiny et al. 2001\n"
    manifest = read_manifest(folder)
    assert manifest.kind == "public set"
    assert set(manifest.files) == {LICENCE, CITATION, "interactions.parquet", "items.parquet"}


def test_a_folder_of_an_older_build_gets_its_terms_and_keeps_its_files(tmp_path):
    for name, table in TABLES.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert fetch_public("tiny", tmp_path, known=known()) == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == {*before, LICENCE, CITATION, MANIFEST}
    assert all((tmp_path / name).stat().st_mtime_ns == at for name, at in before.items())


def test_a_folder_of_an_older_build_that_cannot_be_written_serves_as_it_is(tmp_path, monkeypatch):
    for name, table in TABLES.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")

    def refuse(self, folder):
        raise OutputError(f"{folder} must be writable")

    monkeypatch.setattr(Terms, "write", refuse)
    assert fetch_public("tiny", tmp_path, known=known()) == tmp_path
    assert not (tmp_path / MANIFEST).exists()


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_set_says_its_terms(name):
    terms = KNOWN[name].terms
    assert "https://" in terms.licence
    assert "https://" in terms.citation


def test_a_folder_in_use_for_something_else_is_refused_and_survives(tmp_path):
    (tmp_path / "items.parquet").write_text("mine")
    with pytest.raises(InputError, match="new or empty folder, or hold tiny whole"):
        fetch_public("tiny", tmp_path, known=known(Place("first", TABLES)))
    assert (tmp_path / "items.parquet").read_text() == "mine"


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(InputError, match="the nearest known is 'tiny'"):
        fetch_public("tony", known=known())


def test_without_any_source_the_error_names_all_and_the_way_out(cache):
    places = [Place("the archive", error=MissingFileError("no route")), Place("the wheel", {})]
    places[1].error = MissingFileError("No matching distribution")
    with pytest.raises(MissingFileError) as caught:
        fetch_public("tiny", known=known(*places))
    for part in ("the archive: no route", "the wheel: No matching", "LOG=", "recsparse prepare"):
        assert part in str(caught.value)
    assert not cache.exists() or not any(cache.iterdir())


def test_a_source_with_too_few_rows_is_passed_over():
    short = {**TABLES, "interactions": TABLES["interactions"].slice(1)}
    with pytest.raises(MissingFileError, match="interactions must have 2 rows, but has 1"):
        fetch_public("tiny", known=known(Place("first", short)))
    assert fetch_public("tiny", known=known(Place("first", short), Place("second", TABLES)))


def test_a_source_with_another_content_is_passed_over():
    other = {**TABLES, "items": pa.table({"item_id": [5], "title": ["six"]})}
    with pytest.raises(MissingFileError, match=f"must have the sha256 {EXPECTED['items'].sha256}"):
        fetch_public("tiny", known=known(Place("first", other)))


def test_a_full_disk_leaves_nothing_behind(cache):
    full = Place("first", error=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OutputError, match="needs more room"):
        fetch_public("tiny", known=known(full))
    assert not any(cache.iterdir())


def test_the_cache_is_the_users_own_by_default(monkeypatch):
    monkeypatch.delenv("RECSPARSE_CACHE")
    assert cache_folder().name == "recsparse"


def test_the_sha256_is_that_of_the_columns_as_json():
    table = pa.table({"n": pa.array([1, None], pa.int64()), "s": ["é", ""]})
    text = '["n", "int64", [1, null]]' + '["s", "string", ["\\u00e9", ""]]'
    assert table_sha256(table) == hashlib.sha256(text.encode()).hexdigest()


def test_the_sha256_does_not_see_chunks_but_sees_types_and_order():
    table = pa.table({"a": [1, 2]})
    assert table_sha256(pa.concat_tables([table.slice(0, 1), table.slice(1)])) == table_sha256(
        table
    )
    assert table_sha256(table.cast(pa.schema([("a", pa.int32())]))) != table_sha256(table)
    assert table_sha256(table.take([1, 0])) != table_sha256(table)


def official_archive_of(folder, path):
    """Write the archive as GroupLens does, from an independent copy of its rows."""
    ratings, films, users = (
        pq.read_table(folder / f"{name}.parquet").to_pylist()
        for name in ("interactions", "items", "users")
    )

    def lines(rows, delimiter):
        return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as files:
        columns = ("user_id", "item_id", "rating", "timestamp")
        files.writestr("ml-100k/u.data", lines(([r[c] for c in columns] for r in ratings), "\t"))
        rows = [
            [f["item_id"], f["title"], f["release_date"] or "", "", f["imdb_url"] or ""]
            + [int(genre in f["categories"]) for genre in GENRES]
            for f in films
        ]
        files.writestr("ml-100k/u.item", lines(rows, "|").encode("latin-1"))
        files.writestr("ml-100k/u.user", lines((u.values() for u in users), "|"))
    return path


def test_movielens_from_an_independent_copy_passes_the_check(real_data, tmp_path):
    folder = real_data / "movielens-100k"
    archive = official_archive_of(folder, tmp_path / "ml-100k.zip")
    source = Source("a copy", lambda scratch, progress: archive, read_official_archive)
    one = {"movielens-100k": replace(KNOWN["movielens-100k"], sources=(source,))}
    fetched = pq.read_table(fetch_public("movielens-100k", known=one) / "interactions.parquet")
    assert fetched.schema.names == ["user_id", "item_id", "rating", "timestamp"]
    theirs = pq.read_table(folder / "interactions.parquet").select(fetched.schema.names)
    assert rows_of(fetched) == rows_of(theirs)


def rows_of(table):
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True))
