import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.config.toml_reader import load_config
from recsparse.errors import InputError
from tests.logs import DUPLICATES, SPLIT_SETTINGS, log_of, logs
from tests.plain_prepare import PARTS, plain_prepare
from tests.prepared import contents, prepared, prepared_files, triples

TOO_SHORT = (
    "must have at least 2|must leave rows in every part|must have rows|time outside of the window"
)


def rows_of(data, name):
    """Return the rows of a part as stored: the weights are not aged."""
    table = getattr(data.split, name)
    columns = [
        data.user_ids(table["user_index"].to_numpy()).to_pylist(),
        data.item_ids(table["item_index"].to_numpy()).to_pylist(),
        *(table[column].to_pylist() for column in ("weight", "timestamp", "rating")),
    ]
    return list(zip(*columns, strict=True))


def assert_plain(data, expected):
    for name in ("users", "items", "unseen_users", "unseen_items"):
        assert getattr(data, name).ids.to_pylist() == getattr(expected, name), name
        assert data.counts[name] == len(getattr(expected, name))
    for name in PARTS:
        found = rows_of(data, name)
        weights = [row[2] for row in found]
        assert weights == pytest.approx([row[2] for row in expected.parts[name]])
        without = [(*row[:2], *row[3:]) for row in found]
        assert without == [(*row[:2], *row[3:]) for row in expected.parts[name]], name
        assert data.counts[f"{name}_rows"] == len(found)
    assert data.counts["duplicate_rows"] == expected.duplicates
    assert data.counts["rows_outside_core"] == expected.outside_core


def assert_prepared_as_plainly(folder, frame, overrides):
    """Prepare a log in two files and compare with pandas."""
    given_parts = "split.kind=given" in overrides
    expected = plain_prepare(
        frame if given_parts else frame.drop(columns="part"), load_config(overrides=overrides)
    )
    table = log_of(frame)
    for number, part in enumerate((table[: len(frame) // 2], table[len(frame) // 2 :])):
        pq.write_table(part, folder / f"{number}.parquet")
    paths = [folder / "0.parquet", folder / "1.parquet"]
    if expected is None:
        with pytest.raises(InputError, match=TOO_SHORT):
            prepared_files(paths, folder / "dataset", overrides)
        assert not (folder / "dataset").exists()
        return
    data = prepared_files(paths, folder / "dataset", overrides)
    assert_plain(data, expected)


@pytest.mark.parametrize("kind", SPLIT_SETTINGS)
@settings(max_examples=8)
@given(frame=logs(25, 60), seed=st.integers(0, 99))
def test_a_dataset_of_every_split_is_that_of_pandas(tmp_path_factory, kind, frame, seed):
    overrides = [*SPLIT_SETTINGS[kind], f"seed={seed}"]
    assert_prepared_as_plainly(tmp_path_factory.mktemp("plain"), frame, overrides)


@settings(max_examples=12)
@given(logs(0, 20), st.sampled_from(list(SPLIT_SETTINGS)))
def test_a_log_is_refused_just_where_it_is_too_short_for_pandas(tmp_path_factory, frame, kind):
    folder = tmp_path_factory.mktemp("short")
    assert_prepared_as_plainly(folder, frame, SPLIT_SETTINGS[kind])


@settings(max_examples=12)
@given(logs(20, 60), st.sampled_from(list(DUPLICATES)), st.integers(1, 4), st.integers(1, 3))
def test_duplicates_and_the_core_are_those_of_pandas(tmp_path_factory, frame, keep, user, item):
    # Few ids, so that there are duplicates.
    frame = frame.assign(item=frame["item"].str[:2] if frame["item"].dtype == object else 1)
    overrides = [
        *DUPLICATES[keep], *SPLIT_SETTINGS["random"], f"log.min_user_rows={user}",
        f"log.min_item_rows={item}",
    ]  # fmt: skip
    assert_prepared_as_plainly(tmp_path_factory.mktemp("plain"), frame, overrides)


# Rows of the last two days are validation and test.
DAYS = [
    "split.kind=global_time",
    "split.validation_from='1970-01-11'",
    "split.test_from='1970-01-12'",
]
EARLY = [(user, item, 1 + user % 3) for user in range(6) for item in range(user, user + 5)]
VALIDATION = [(user, 4) for user in range(3)]
LATE = [(user, 5) for user in range(3)]
FITTED = (
    "users.parquet", "items.parquet", "user_order.parquet", "item_order.parquet", "train.arrow",
    "validation.arrow",
)  # fmt: skip


def by_day(folder, early, late, kind="popularity"):
    rows = [*((*row, 1)[:3] for row in early), *((*row, 1) for row in VALIDATION + late)]
    days = [place % 9 for place in range(len(early))] + [10] * len(VALIDATION) + [11] * len(late)
    folder.mkdir()
    times = [day * 86_400 for day in days]
    return prepared(folder, rows, [*DAYS, f"order.kind={kind}"], times)


@pytest.mark.parametrize("kind", ["popularity", "spectral", "bisection", "time", "random"])
def test_nothing_fitted_changes_with_the_test_rows(tmp_path, kind):
    # Another item would lead, another user would be the most active, and ids would come first.
    planted = [*LATE, *((user, -7) for user in range(6)), *((-9, item) for item in range(9))]
    first = by_day(tmp_path / "first", EARLY, LATE, kind)
    second = by_day(tmp_path / "second", EARLY, planted, kind)
    before, after = (contents(tmp_path / name / "dataset") for name in ("first", "second"))
    assert {name: before[name] for name in FITTED} == {name: after[name] for name in FITTED}
    assert (first.train_matrix() != second.train_matrix()).nnz == 0
    assert second.unseen_items.ids.to_pylist() == [-7]
    assert second.unseen_users.ids.to_pylist() == [-9]
    assert second.counts["test_rows_of_unseen_items"] == 6
    assert second.counts["test_rows_of_unseen_users"] == 9


@pytest.mark.parametrize("kind", ["popularity", "spectral", "bisection", "time", "random"])
def test_a_leak_would_be_seen(tmp_path, kind):
    # The same rows among those of training change everything that is fitted.
    planted = [*((user, -7) for user in range(6)), *((-9, item) for item in range(9))]
    by_day(tmp_path / "first", EARLY, LATE, kind)
    leaked = by_day(tmp_path / "second", [*EARLY, *planted], LATE, kind)
    before, after = (contents(tmp_path / name / "dataset") for name in ("first", "second"))
    assert all(before[name] != after[name] for name in FITTED)
    assert leaked.items.ids.to_pylist()[0] == -7
    assert leaked.users.ids.to_pylist()[0] == -9


def test_words_come_from_training_rows_and_items_alone(tmp_path):
    rows = [(user, item) for user in range(4) for item in range(4)] + [(0, 5), (1, 5), (2, 6)]
    reviews = [f"seen{place}" for place in range(16)] + ["planted"] * 3
    titles = {"item_id": [0, 5, 6, 99], "title": ["red", "hidden", "late", "never"]}
    pq.write_table(pa.table(titles), tmp_path / "items.parquet")
    days = [0] * 16 + [10, 11, 11]
    data = prepared(
        tmp_path,
        rows,
        [*DAYS, "text.log_columns=['review']", "text.columns=['title']"],
        [day * 86_400 for day in days],
        review=reviews,
        items=tmp_path / "items.parquet",
    )
    assert data.words.words == ("red",)
    for side in (data.user_reviews, data.item_reviews):
        assert side.words.words == tuple(sorted(reviews[:16]))
    # The item 99 is in the table alone.
    assert data.unseen_items.ids.to_pylist() == [5, 6, 99]
    assert data.item_reviews.bags.shape == (7, 16)
    # Items 5 and 6, which come after training, have no review that a model may see.
    assert data.item_reviews.bags[4:].nnz == 0


@pytest.mark.parametrize(
    "kind", ["random", "leave_last_out", "global_time", "held_out_users", "held_out_items"]
)
def test_items_of_the_test_alone_are_in_no_catalogue(tmp_path, kind):
    # Each user has an item of its own besides seven that all have.
    rows = [(user, item if item < 7 else 1000 + user) for user in range(30) for item in range(8)]
    times = [(5 * user + 3 * item) % 8 * 1000 + user for user in range(30) for item in range(8)]
    data = prepared(tmp_path, rows, [f"split.kind={kind}", "split.test=0.3"], times)
    item = {name: {item for _, item, _ in triples(data, name)} for name in PARTS}
    assert data.items.ids.to_pylist() == sorted(item["train"])
    later = set().union(*item.values()) - item["train"]
    assert data.unseen_items.ids.to_pylist() == sorted(later)
    assert item["test"] & later
    assert data.split.train["item_index"].to_numpy().max() == len(data.items) - 1


def test_weights_are_halved_by_their_age_in_a_sum_and_in_the_matrix(tmp_path):
    rows = [(0, 1, 4), (0, 1, 2), (0, 2, 1), (1, 1, 8), (1, 2, 1), (1, 3, 1), (0, 4, 1), (0, 5, 1)]
    days = [0, 1, 3, 2, 3, 4, 8, 9]
    overrides = [
        "log.duplicates=sum", "log.half_life_days=1", "split.kind=global_time",
        "split.validation_from='1970-01-09'", "split.test_from='1970-01-10'",
    ]  # fmt: skip
    data = prepared(tmp_path, rows, overrides, [day * 86_400 for day in days])
    assert data.counts["last_training_second"] == 4 * 86_400
    expected = [[4 / 2**4 + 2 / 2**3, 1 / 2, 0], [8 / 2**2, 1 / 2, 1]]
    assert data.train_matrix().toarray() == pytest.approx(np.array(expected))
