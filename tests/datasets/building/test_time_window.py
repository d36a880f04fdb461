"""Nothing from the start of a window on changes what is trained on, nor what is fitted on that."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from recsparse.config.toml_reader import load_config
from recsparse.errors import ConfigError, InputError
from tests.logs import DUPLICATES, log_of, logs
from tests.prepared import contents, log_table, prepared, prepared_files, triples

WINDOW = [
    "split.kind=time_window", "split.validation_from='1970-01-11'", "split.test_from='1970-01-21'",
    "split.test_until='1970-01-31'",
]  # fmt: skip
DAY = 86_400
FITTED = (
    "users.parquet", "items.parquet", "user_order.parquet", "item_order.parquet", "train.arrow",
    "item_words.parquet", "item_side.toml", "item_bags.parquet",
)  # fmt: skip


def fitted(folder):
    """What models are trained on; of validation the rows by id, as later ids have other indices."""
    found = contents(folder / "dataset")
    return {name: found[name] for name in FITTED if name in found}


# Whole datasets are no fun to shrink.
@settings(max_examples=8, phases=[Phase.generate])
@given(logs(20, 50), logs(5, 20), logs(5, 20), st.sampled_from(list(DUPLICATES)), st.integers(1, 3))
def test_any_other_future_gives_the_same_training(tmp_path_factory, past, one, other, keep, least):
    past, one, other = (
        frame.assign(user=frame["user"].astype(str)) for frame in (past, one, other)
    )
    past, one, other = (
        frame.assign(item=frame["item"].astype(str)) for frame in (past, one, other)
    )
    # Enough for a dataset, whatever was drawn.
    sure = [
        (user, day * DAY, f"{item}{day}", pd.NA, 1.0, "train")
        for day in (1, 12) for user in "abc" for item in "st"
    ]  # fmt: skip
    past = pd.concat([past[past["time"] < 20 * DAY], pd.DataFrame(sure, columns=past.columns)])
    found = []
    for future in (one, other):
        folder = tmp_path_factory.mktemp("future")
        future = future.assign(time=future["time"] % (10 * DAY) + 20 * DAY)
        future = pd.concat([future, future.assign(item="of the future alone")])
        pq.write_table(log_of(pd.concat([past, future])), folder / "log.parquet")
        overrides = [*WINDOW, *DUPLICATES[keep], f"log.min_item_rows={least}"]
        data = prepared_files(folder / "log.parquet", folder / "dataset", overrides)
        assert "of the future alone" in data.unseen_items.ids.to_pylist()
        found.append((fitted(folder), triples(data, "validation")))
    assert found[0] == found[1]


def test_a_feature_that_only_items_of_the_future_have_is_in_no_vocabulary(tmp_path):
    rows = [(u, i) for u in "ab" for i in ("old", "older")]
    early, late = [(*row, 1.0) for row in rows], [("a", "new", 1.0), ("b", "new", 1.0)]
    times = [1 * DAY, 2 * DAY, 3 * DAY, 12 * DAY, 22 * DAY, 23 * DAY]
    items = pa.table(
        {
            "item_id": ["old", "older", "new"],
            "title": ["red wine", "red beer", "red moonshot"],
            "shelf": ["wine", "beer", "rockets"],
        }
    )
    pq.write_table(items, tmp_path / "items.parquet")
    overrides = [*WINDOW, "features.categories=['shelf']", "text.columns=['title']"]
    data = prepared(tmp_path, early + late, overrides, times, items=str(tmp_path / "items.parquet"))
    assert data.items.ids.to_pylist() == ["old", "older"]
    found = {
        name: pq.read_table(tmp_path / "dataset" / f"item_{name}.parquet").to_pydict()
        for name in ("words", "categories")
    }
    assert {"wine", "beer"} <= {each for column in found["words"].values() for each in column}
    assert "moonshot" not in str(found)
    assert "wine" in str(found["categories"])
    assert "rockets" not in str(found)


def test_rows_of_the_gap_and_outside_are_left_out_and_counted(tmp_path):
    rows = [("a", 1), ("b", 2), ("a", 3), ("b", 1), ("a", 4), ("b", 5), ("a", 6), ("b", 6)]
    times = [d * DAY for d in (1, 5, 6, 12, 18, 20, 29, 30)]
    gap = ["split.known_until='1970-01-18'", "split.train_from='1970-01-03'"]
    data = prepared(tmp_path, rows, [*WINDOW, *gap], times)
    # The first is too early, the second but last in the gap, the last after the end.
    assert triples(data, "train") == [("a", 3, 1.0), ("b", 2, 1.0)]
    assert triples(data, "validation") == [("b", 1, 1.0)]
    assert triples(data, "test") == [("a", 6, 1.0), ("b", 5, 1.0)]
    assert data.counts["rows_outside_window"] == 3


def test_a_pair_counts_in_the_first_part_that_has_it_and_test_rows_for_no_core(tmp_path):
    rows = [
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("b", 2),
        ("a", 3),
        ("a", 1),
        ("a", 3),
        ("b", 3),
        ("c", 9),
    ]
    times = [d * DAY for d in (1, 1, 2, 2, 12, 13, 22, 23, 24)]
    data = prepared(tmp_path, rows, [*WINDOW, "log.min_user_rows=2"], times)
    assert triples(data, "validation") == [("a", 3, 1.0)]
    assert triples(data, "test") == [("b", 3, 1.0), ("c", 9, 1.0)]
    assert data.counts["duplicate_rows"] == 2
    # The item 3 has one row before the test, and two with it.
    with pytest.raises(
        InputError, match=r"validation got none of 6.*give more rows, or other times"
    ):
        prepared(tmp_path, rows, [*WINDOW, "log.min_item_rows=2"], times)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (WINDOW[:3], "time_window, which needs test_until.*got validation_from, test_from"),
        (
            [*WINDOW[:2], "split.test_from='1970-01-02'", WINDOW[3]],
            "validation_from must be before",
        ),
        ([*WINDOW, "split.known_until='1970-01-22'"], "known_until must be before test_from"),
        (["split.test_until='1970-01-22'"], "need kind global_time, or time_window"),
    ],
)
def test_times_that_make_no_window_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=overrides)


def test_rows_without_a_time_are_refused(tmp_path):
    rows = [("a", 1), ("b", 2), ("a", 3), ("b", 1)]
    times = [1 * DAY, None, 12 * DAY, 22 * DAY]
    pq.write_table(log_table(rows, times), tmp_path / "log.parquet")
    with pytest.raises(InputError, match="needs a time for every row, but 1 of 4 have none"):
        prepared_files(tmp_path / "log.parquet", tmp_path / "dataset", WINDOW)
