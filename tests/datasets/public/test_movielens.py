import zipfile

import pytest

from recsparse.datasets.public.movielens import (
    GENRES,
    read_official_archive,
    read_recbole_wheel,
)
from recsparse.errors import InputError

RATINGS = [("7", "2", "4", "881250949"), ("3", "1", "5", "881250000"), ("7", "1", "1", "881250949")]
# The full title, the genres, and how the wheel cuts the title in two.
FILMS = {
    "1": ("Misérables, Les (1995)", ("Drama", "Musical"), ("Misérables, Les", "1995")),
    "2": ('A "B" (C, The) (1971) (V)', ("unknown",), ('A "B" (C, The) (1971)', "V")),
    "3": ("unknown", (), ("unkonwn", "unkonwn")),
}
USERS = [("7", "24", "M", "technician", "00123"), ("3", "53", "F", "other", "T8H1N")]


def lines(rows, delimiter):
    return "".join(delimiter.join(row) + "\n" for row in rows)


def write_archive(path, ratings=RATINGS, films=FILMS, users=USERS):
    items = [
        (film, title, "01-Jan-1995", "", "", *("01"[genre in genres] for genre in GENRES))
        for film, (title, genres, _) in films.items()
    ]
    with zipfile.ZipFile(path, "w") as files:
        files.writestr("ml-100k/u.data", lines(ratings, "\t"))
        files.writestr("ml-100k/u.item", lines(items, "|").encode("latin-1"))
        files.writestr("ml-100k/u.user", lines(users, "|"))
    return path


def write_wheel(path, ratings=RATINGS, films=FILMS, users=USERS):
    items = [(film, *cut, " ".join(genres)) for film, (_, genres, cut) in films.items()]
    with zipfile.ZipFile(path, "w") as files:
        for part, head, rows in [
            (
                "inter",
                ("user_id:token", "item_id:token", "rating:float", "timestamp:float"),
                ratings,
            ),
            (
                "item",
                ("item_id:token", "movie_title:token_seq", "release_year:token", "class"),
                items,
            ),
            ("user", ("user_id:token", "age", "gender", "occupation", "zip_code"), users),
        ]:
            name = f"recbole/dataset_example/ml-100k/ml-100k.{part}"
            files.writestr(name, lines([head, *rows], "\t"))
    return path


def test_both_places_give_the_same_canonical_tables(tmp_path):
    official = read_official_archive(write_archive(tmp_path / "ml-100k.zip"))
    wheel = read_recbole_wheel(write_wheel(tmp_path / "recbole.whl"))
    assert official == wheel


def test_interactions_are_sorted_by_user_time_and_item(tmp_path):
    table = read_official_archive(write_archive(tmp_path / "a.zip"))["interactions"]
    assert table.to_pylist() == [
        {"user_id": 3, "item_id": 1, "rating": 5.0, "timestamp": 881250000},
        {"user_id": 7, "item_id": 1, "rating": 1.0, "timestamp": 881250949},
        {"user_id": 7, "item_id": 2, "rating": 4.0, "timestamp": 881250949},
    ]


def test_years_leave_the_titles_and_genres_become_text(tmp_path):
    table = read_official_archive(write_archive(tmp_path / "a.zip"))["items"]
    assert table.to_pylist() == [
        {"item_id": 1, "title": "Misérables, Les", "genres": "Drama Musical", "year": 1995},
        {"item_id": 2, "title": 'A "B" (C, The)', "genres": "unknown", "year": 1971},
        {"item_id": 3, "title": "unknown", "genres": "", "year": None},
    ]


def test_zip_codes_keep_their_zeros(tmp_path):
    table = read_recbole_wheel(write_wheel(tmp_path / "a.whl"))["users"]
    assert table["zip_code"].to_pylist() == ["T8H1N", "00123"]


def test_a_truncated_archive_is_named(tmp_path):
    path = write_archive(tmp_path / "ml-100k.zip")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"ml-100k\.zip must be a whole MovieLens-100K archive"):
        read_official_archive(path)


def test_another_zip_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no item named 'ml-100k/u\.data'"):
        read_official_archive(write_wheel(tmp_path / "recbole.whl"))


def test_a_rating_that_is_no_number_is_refused(tmp_path):
    path = write_archive(tmp_path / "a.zip", ratings=[("7", "2", "four", "881250949")])
    with pytest.raises(InputError, match=r"must hold numbers, but .*four"):
        read_official_archive(path)
