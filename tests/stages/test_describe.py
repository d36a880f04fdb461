import html as html_module

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.workspace import Resources
from recsparse.errors import InputError, MissingFileError, OutputError, SchemaError
from recsparse.stages.describe import describe
from tests.prepared import prepared


def write(folder, **columns):
    path = folder / "log.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def log_config(*overrides):
    return load_config(None, list(overrides)).log


def expected_spread(counts):
    return counts.describe(percentiles=[0.25, 0.5, 0.75, 0.9, 0.99]).drop(["count", "std"])


def test_the_figures_of_a_log_are_those_that_pandas_counts(small_log):
    path = small_log / "log.parquet"
    found, log = describe(path), pd.read_parquet(path)
    users, items = (log[name].value_counts() for name in ("user_id", "item_id"))
    assert found["source"] == {"kind": "log", "path": str(path)}
    assert found["rows"] == {
        "rows read": len(log), "rejected rows": 0, "rows": len(log), "duplicate rows": 0,
        "share of duplicate rows": 0.0,
    }  # fmt: skip
    assert found["grid"] == {
        "users": len(users),
        "items": len(items),
        "active cells": len(log),
        "share of active cells": len(log) / (len(users) * len(items)),
    }
    times = pd.to_datetime(log["timestamp"], unit="s")
    assert found["time"] == {
        "first event": f"{times.min().isoformat()}Z",
        "last event": f"{times.max().isoformat()}Z",
        "days with rows": times.dt.date.nunique(),
        "rows without a time": 0,
    }
    for name, counts in (("rows per user", users), ("rows per item", items)):
        assert sorted(found[name].values()) == pytest.approx(sorted(expected_spread(counts)))
    tail = found["long tail"]
    assert tail["share of rows in the top 10 % of items"] == items[:2].sum() / len(log)
    assert tail["share of rows in the top 10 % of users"] == users[:4].sum() / len(log)
    ratings = log["rating"].value_counts().sort_index()
    assert found["rows by rating"] == {f"{rating:g}": n for rating, n in ratings.items()}
    assert found["ratings"]["mean"] == pytest.approx(log["rating"].mean())


def test_the_published_figures_of_movielens_100k_are_found(real_data):
    found = describe(real_data / "movielens-100k" / "interactions.parquet")
    assert found["grid"] == {
        "users": 943,
        "items": 1_682,
        "active cells": 100_000,
        "share of active cells": 100_000 / (943 * 1_682),
    }
    published = {"1": 6_110, "2": 11_370, "3": 27_145, "4": 34_174, "5": 21_201}
    assert found["rows by rating"] == published


def test_doubtful_rows_are_counted_by_reason_and_duplicates_are_rows(tmp_path):
    path = write(
        tmp_path, who=[1, 1, None, 2, 2], item_id=[5, 5, 5, 6, 6], weight=[1.0, 1, 1, -1, 1]
    )
    found = describe(path, log_config("log.user_column=who"))
    assert found["rows"] == {
        "rows read": 5, "rejected rows": 2, "rows": 3, "duplicate rows": 1,
        "share of duplicate rows": 1 / 3,
    }  # fmt: skip
    assert found["grid"]["active cells"] == 2
    assert found["rejected rows by reason"] == {"user id is null": 1, "weight is negative": 1}


def test_a_log_without_a_good_row_tells_why(tmp_path):
    path = write(tmp_path, user_id=pa.array([None, None], pa.int64()), item_id=[1, 2])
    found = describe(path, html=tmp_path / "page.html")
    assert "<img" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert found["rows"]["rows"] == 0
    assert found["rejected rows by reason"] == {"user id is null": 2}
    assert "rows per user" not in found


def test_a_log_without_rows_is_refused(tmp_path):
    path = write(tmp_path, user_id=pa.array([], pa.string()), item_id=pa.array([], pa.int64()))
    with pytest.raises(InputError, match=r"must have rows, but .*log\.parquet has none$"):
        describe(path)
    path = write(tmp_path, user_id=[1], item_id=[2])
    with pytest.raises(InputError, match="has none for which user_id = 2"):
        describe(path, log_config('log.where="user_id = 2"'))


@pytest.mark.parametrize("times", [None, pa.array([None, None], pa.int64())])
def test_a_log_without_times_has_no_first_and_last_event(tmp_path, times):
    log = {"user_id": [1, 2], "item_id": [5, 5]} | ({} if times is None else {"timestamp": times})
    found = describe(write(tmp_path, **log))
    assert "time" not in found
    assert found["long tail"]["share of rows in the top 10 % of items"] == 2 / 2


EVENTS = {"user_id": [1, 2, 3, 4], "item_id": [5, 5, 6, 6], "event": ["view", None, "buy", "view"]}


def test_events_are_counted_whether_they_have_a_weight_or_not(tmp_path):
    path = write(tmp_path, **EVENTS)
    assert describe(path)["rows by event"] == {"view": 2, "buy": 1, "null": 1}
    found = describe(path, log_config("log.event_weights={buy = 3}"))
    assert found["rows by event"] == {"view": 2, "buy": 1, "null": 1}
    assert (found["rows"]["rows"], found["rows"]["rows of other events"]) == (1, 3)


def test_a_filter_holds_for_events_and_rows_alike(tmp_path):
    found = describe(write(tmp_path, **EVENTS), log_config("log.where=user_id < 3"))
    assert found["rows"]["rows read"] == 2
    assert found["rows by event"] == {"null": 1, "view": 1}


def test_only_the_most_frequent_of_many_events_are_named(tmp_path):
    names = [f"event {number:02}" for number in range(25)]
    found = describe(write(tmp_path, user_id=range(25), item_id=range(25), event=names))
    assert found["rows by event"] == dict.fromkeys(names[:20], 1) | {"other types": 5}


def test_rows_below_the_lowest_rating_are_counted(tmp_path):
    path = write(tmp_path, user_id=[1, 2, 3], item_id=[1, 1, 1], rating=[1.0, 4.0, None])
    rows = describe(path, log_config("log.min_rating=4"))["rows"]
    assert (rows["rows"], rows["rows below the lowest rating"]) == (1, 2)


def test_the_figures_do_not_depend_on_order_threads_and_memory(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user_id": [f"user {number}" for number in rng.integers(0, 30, 500)],
            "item_id": rng.integers(0, 20, 500),
            "timestamp": rng.integers(0, 10**9, 500),
            "rating": rng.random(500).astype(np.float32),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    first, second = frame.iloc[::-1][:200], frame.iloc[::-1][200:]
    first.to_parquet(tmp_path / "b.parquet")
    second.to_parquet(tmp_path / "c.parquet")
    one = describe(tmp_path / "a.parquet")
    other = describe(
        [tmp_path / "c.parquet", tmp_path / "b.parquet"],
        resources=Resources(memory="100MB", threads=1),
    )
    assert {**other, "source": None} == {**one, "source": None}


def test_temporary_files_are_removed(tmp_path, small_log):
    spill = tmp_path / "made" / "spill"
    describe(small_log / "log.parquet", resources=Resources(spill=spill))
    with pytest.raises(SchemaError):
        describe(small_log / "items.parquet", resources=Resources(spill=spill))
    assert list(spill.iterdir()) == []


ROWS = [(user, item) for user in range(6) for item in range(10)]


def test_a_dataset_is_known_as_one_and_tells_where_its_rows_went(tmp_path):
    prepared(tmp_path, ROWS)
    found, log = describe(tmp_path / "dataset"), describe(tmp_path / "log.parquet")
    assert found["source"] == {"kind": "dataset", "path": str(tmp_path / "dataset")}
    for name in ("grid", "rows per user", "rows per item", "time", "long tail"):
        assert found[name] == log[name]
    parts = found["rows by part"]
    assert sum(parts.values()) == len(ROWS)
    assert parts["train"] == found["counts of prepare"]["train_rows"]


def test_cold_shares_are_of_the_rows_of_a_part(tmp_path):
    # One validation row, and a test of four: two of a new user, one of them with a new item,
    # and one more of a new item.
    rows = [*ROWS, (0, 0), (9, 1), (9, 88), (1, 88), (2, 2)]
    part = ["train"] * len(ROWS) + ["validation"] + ["test"] * 4
    prepared(tmp_path, rows, ["split.kind=given"], part=part)
    assert describe(tmp_path / "dataset")["cold shares"] == {
        "validation rows of unseen users": 0.0,
        "validation rows of unseen items": 0.0,
        "validation rows of unseen users or items": 0.0,
        "test rows of unseen users": 2 / 4,
        "test rows of unseen items": 2 / 4,
        "test rows of unseen users or items": 3 / 4,
    }


def test_text_is_covered_as_far_as_training_ids_have_a_word(tmp_path):
    # Item 9 is in the test alone, and item 0 is not in the table.
    texts = ["red fox", "red red hen", "", None, "a fox and a hen", "x", "fox", "hen", "red"]
    items = pa.table({"item_id": range(1, 10), "text": texts})
    pq.write_table(items, tmp_path / "items.parquet")
    part = ["test" if item == 9 else "train" for _, item in ROWS]
    part[0] = "validation"
    overrides = ["split.kind=given", "text.weighting=counts"]
    prepared(tmp_path, ROWS, overrides, part=part, items=tmp_path / "items.parquet")
    assert describe(tmp_path / "dataset")["text"] == {
        "words of items": len({"red", "fox", "hen", "and"}),
        "share of items with a word": 5 / 9,
        "different words of items (mean)": (2 + 2 + 3 + 1 + 1) / 9,
    }


def test_text_of_the_log_is_covered_apart_for_users_and_items(tmp_path):
    notes = ["good" if item else "" for _, item in ROWS]
    overrides = ["split.kind=given", 'text.log_columns=["note"]']
    part = ["validation", "test", *["train"] * (len(ROWS) - 2)]
    prepared(tmp_path, ROWS, overrides, part=part, note=notes)
    found = describe(tmp_path / "dataset")["text"]
    assert found["share of items in reviews with a word"] == 9 / 10
    assert found["share of users in reviews with a word"] == 6 / 6
    assert found["words of users in reviews"] == 1


def test_a_spill_folder_that_cannot_be_made_is_refused(tmp_path, small_log):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file must be a folder"):
        describe(small_log / "log.parquet", resources=Resources(spill=tmp_path / "file"))


def test_a_dataset_without_text_says_nothing_of_it(tmp_path):
    prepared(tmp_path, ROWS)
    assert "text" not in describe(tmp_path / "dataset")


def test_rows_that_a_dataset_set_aside_are_told_by_reason(tmp_path):
    prepared(tmp_path, [*ROWS, (None, 1), (1, None), (None, 2)])
    found = describe(tmp_path / "dataset")
    assert found["rejected rows by reason"] == {"item id is null": 1, "user id is null": 2}


def test_kept_duplicates_share_a_cell(tmp_path):
    prepared(tmp_path, [*ROWS, *ROWS[:7]], ["log.duplicates=keep"])
    grid = describe(tmp_path / "dataset")["grid"]
    assert grid["active cells"] == len(ROWS)
    assert grid["share of active cells"] == 1.0


def test_a_dataset_with_a_damaged_file_of_rejected_rows_is_refused(tmp_path):
    prepared(tmp_path, ROWS)
    (tmp_path / "dataset" / "rejected.parquet").write_bytes(b"no parquet")
    with pytest.raises(
        InputError, match=r"rejected\.parquet must have \d+ bytes, as it was written, but has 10"
    ):
        describe(tmp_path / "dataset")


def test_a_page_holds_every_figure_and_its_pictures_and_asks_for_nothing_else(tmp_path):
    prepared(tmp_path, ROWS)
    page = tmp_path / "page.html"
    found = describe(tmp_path / "dataset", html=page)
    text = page.read_text(encoding="utf-8")
    for heading, group in found.items():
        assert f"<h3>{heading}</h3>" in text
        for name in group:
            assert f'<th scope="row">{name}</th>' in text
    pictures = ["rows by day", "rows by rank", "rows per user", "training rows on the grid"]
    assert [name for name in pictures if f'alt="{name}"' not in text] == []
    assert text.count('src="data:image/svg+xml;base64,') == text.count("src=") == len(pictures)
    assert "href=" not in text
    assert [path.name for path in tmp_path.iterdir() if "page" in path.name] == ["page.html"]


def test_text_of_the_user_is_escaped_on_the_page(tmp_path):
    name = "<script>alert('x')</script>&"
    path = write(tmp_path, user_id=[1, 2], item_id=[1, 2], event=[name, "view"])
    describe(path, html=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert name not in text
    assert name in html_module.unescape(text)


def test_an_old_page_stands_where_the_description_fails(tmp_path):
    page = tmp_path / "page.html"
    describe(write(tmp_path, user_id=[1], item_id=[1]), html=page)
    old = page.read_bytes()
    with pytest.raises(SchemaError, match="user_id"):
        describe(write(tmp_path, item_id=[1]), html=page, overwrite=True)
    assert page.read_bytes() == old


def test_a_path_without_anything_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere"):
        describe(tmp_path / "nowhere")
