import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.datasets.building import reviews as module
from recsparse.datasets.building.reviews import Reviews
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.workspace import Resources, workspace

TEXTS = ["good", "bad film", "日本", "", None, "x" * 10_000]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder, of module scope as hypothesis wants it."""
    return tmp_path_factory.mktemp("reviews")


def rows_of(frame, hashes):
    return Rows(
        user=frame["user"].to_numpy(np.int32),
        item=frame["item"].to_numpy(np.int32),
        weight=np.ones(len(frame), np.float32),
        timestamp=frame["time"].to_numpy(np.int64),
        rating=np.ones(len(frame), np.float32),
        text=hashes,
    )


def see(reviews, frame, train):
    """Keep the texts of all rows, and take those of training."""
    table = pa.table({"review": pa.array(frame["text"], pa.string())})
    hashes = reviews.keep(table, ("review",))
    reviews.see_train(rows_of(frame[train], hashes[train]))
    return hashes


def by_axis(reviews, axis):
    """Return the texts of each user or item, in the order of the alphabet."""
    found, last = {}, -1
    for index, texts in reviews.texts(axis):
        for place, text in zip(index.tolist(), texts, strict=True):
            assert place >= last
            found.setdefault(place, []).append(text)
            last = place
    return {place: sorted(texts) for place, texts in found.items()}


FEW = st.integers(0, 3)
LOGS = st.lists(
    st.tuples(FEW, FEW, st.integers(0, 9), st.sampled_from(TEXTS), st.booleans()),
    max_size=12,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=10)
@given(rows=LOGS, size=st.integers(1, 12))
def test_every_user_and_item_has_the_texts_of_its_training_rows(folder, rows, size):
    frame = pd.DataFrame(rows, columns=["user", "item", "time", "text", "train"])
    train = frame["train"].to_numpy(bool)
    with (
        pytest.MonkeyPatch.context() as patch,
        workspace(Resources(threads=1), folder / "dataset") as work,
    ):
        patch.setattr(module, "_ROWS", size)
        reviews = Reviews(work)
        hashes = see(reviews, frame, train)
        assert len(hashes) == len(frame)
        assert len(set(hashes.tolist())) == len({text or "" for _, _, _, text, _ in rows})
        for place, axis in enumerate(("user", "item")):
            expected = {}
            for row in rows:
                if row[3] and row[4]:
                    expected.setdefault(row[place], []).append(row[3])
            assert by_axis(reviews, axis) == {
                index: sorted(texts) for index, texts in expected.items()
            }


def test_a_text_of_a_test_row_is_nowhere_and_one_that_training_has_too_is_once(work_reviews):
    frame = pd.DataFrame(
        {
            "user": [0, 0, 1, 1],
            "item": [0, 1, 0, 1],
            "time": [1, 2, 3, 4],
            "text": ["red", "planted", "red", "red"],
        }
    )
    see(work_reviews, frame, np.array([True, False, True, False]))
    assert by_axis(work_reviews, "user") == {0: ["red"], 1: ["red"]}
    assert by_axis(work_reviews, "item") == {0: ["red", "red"]}


@pytest.fixture
def work_reviews(tmp_path):
    """Reviews without texts."""
    with workspace(Resources(threads=1), tmp_path / "dataset") as work:
        yield Reviews(work)


def test_columns_are_joined_in_the_order_named_and_null_leaves_no_blank(work_reviews):
    table = pa.table({"text": ["b", None, "b", None], "head": ["a", "a", "", None]})
    hashes = work_reviews.keep(table, ("head", "text"))
    frame = pd.DataFrame({"user": range(4), "item": range(4), "time": [0] * 4})
    work_reviews.see_train(rows_of(frame, hashes))
    assert by_axis(work_reviews, "item") == {0: ["a b"], 1: ["a"], 2: ["b"]}


def test_more_text_than_memory_spills(tmp_path):
    # All of one item, so that they would be one text of more than the limit.
    with workspace(Resources("100MB", threads=1), tmp_path / "dataset") as work:
        reviews, size = Reviews(work), 0
        for block in range(13):
            texts = [f"{block} {row} " + "word " * 100 for row in range(20_000)]
            frame = pd.DataFrame({"user": range(20_000), "item": 0, "time": 0, "text": texts})
            see(reviews, frame, np.ones(20_000, bool))
            size += sum(map(len, texts))
        assert size > 120_000_000
        assert sum(len(text) for _, texts in reviews.texts("item") for text in texts) == size


def test_rows_without_any_text_give_none(work_reviews):
    assert by_axis(work_reviews, "user") == {}
    frame = pd.DataFrame({"user": [0], "item": [0], "time": [0], "text": [None]})
    see(work_reviews, frame, np.array([True]))
    assert by_axis(work_reviews, "user") == {}
    assert len(work_reviews.keep(pa.table({"review": pa.array([], pa.string())}), ("review",))) == 0


def test_saved_texts_are_found_again_by_their_hash(tmp_path):
    frame = pd.DataFrame({"user": [0, 1], "item": [0, 0], "time": [2, 1], "text": ["red", "hen"]})
    with workspace(Resources(threads=1), tmp_path / "first") as work:
        reviews = Reviews(work)
        hashes = see(reviews, frame, np.array([True, True]))
        reviews.save(tmp_path)
    with workspace(Resources(threads=1), tmp_path / "second") as work:
        reviews = Reviews(work)
        reviews.load(tmp_path)
        reviews.keep(pa.table({"review": ["red"]}), ("review",))  # is there already
        reviews.see_train(rows_of(frame, hashes))
        assert by_axis(reviews, "item") == {0: ["hen", "red"]}


def test_saved_texts_do_not_depend_on_the_order_of_rows(tmp_path):
    saved = []
    for number, texts in enumerate((["red", "hen", "red", None], ["hen", None, "red", "hen"])):
        with workspace(Resources(threads=1), tmp_path / str(number)) as work:
            reviews = Reviews(work)
            reviews.keep(pa.table({"review": texts}), ("review",))
            reviews.save(tmp_path)
        saved.append((tmp_path / "texts.parquet").read_bytes())
    assert saved[0] == saved[1]
