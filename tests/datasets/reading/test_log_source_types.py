import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.log_source import LogSource
from recsparse.errors import InputError, SchemaError
from tests.datasets.reading.log_files import batches, good, write


def test_a_missing_event_column_is_told_with_the_nearest(tmp_path):
    path = write(tmp_path / "log.parquet", events=["view"])
    message = "must have the column 'event', but it has .*; the nearest known is 'events'"
    with pytest.raises(SchemaError, match=message):
        LogSource.open(path, LogConfig(event_weights={"view": 1}))


def test_events_of_every_file_are_weighed_as_pandas_does(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(0, 9, 90),
            "item_id": rng.integers(0, 9, 90),
            "event": rng.choice(["view", "cart", "purchase", "hover", None], 90),
            "rating": rng.integers(1, 6, 90),
        }
    )
    for number, part in enumerate(np.split(np.arange(90), 3)):
        frame.iloc[part].to_parquet(tmp_path / f"{number}.parquet", index=False)
    weights = {"view": 1.0, "cart": 3.0, "purchase": 10.0}
    found = batches(tmp_path, 7, event_weights=weights, min_rating=3)
    expected = frame.assign(weight=frame.event.map(weights)).dropna(subset="weight")
    liked = expected[expected.rating >= 3]
    table = pa.concat_tables([batch.good for batch in found])
    for name in ("user_id", "item_id", "weight"):
        assert table[name].to_pylist() == liked[name].tolist()
    assert sum(batch.other_events for batch in found) == 90 - len(expected)
    assert sum(batch.below_min_rating for batch in found) == len(expected) - len(liked)


def test_events_of_a_partition_key_have_weights(tmp_path):
    for event in ("view", "purchase", "hover"):
        write(tmp_path / f"event={event}" / "log.parquet", user_id=[len(event)])
    found = good(tmp_path, event_weights={"view": 1, "purchase": 10})
    weights = dict(zip(found["user_id"].to_pylist(), found["weight"].to_pylist(), strict=True))
    assert weights == {4: 1.0, 8: 10.0}


def test_files_that_disagree_on_the_type_of_ids_are_both_named(tmp_path):
    write(tmp_path / "0.parquet", item_id=[1])
    write(tmp_path / "1.parquet", item_id=[1.0])
    with pytest.raises(
        SchemaError, match=r"'item_id' .* int64 in .*0\.parquet and double in .*1\.p"
    ):
        LogSource.open(tmp_path, LogConfig())


def test_the_number_of_rows_is_known_without_reading_unless_they_are_filtered(tmp_path):
    path = write(tmp_path / "log.parquet", user_id=[1, 2, 3])
    assert LogSource.open(path, LogConfig()).num_rows == 3
    assert LogSource.open(path, LogConfig(where="user_id > 1")).num_rows is None


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.int32(), pa.decimal128(9, 0)])
def test_the_types_of_ids_are_known_before_reading(tmp_path, kind):
    ids = pa.array(["1"]).cast(kind) if "string" in str(kind) else pa.array([1]).cast(pa.int32())
    source = LogSource.open(write(tmp_path / "log.parquet", user_id=ids), LogConfig())
    assert source.user_type == (pa.string() if "string" in str(kind) else pa.int64())
    assert source.item_type == pa.int64()


def test_only_columns_that_are_needed_are_read(tmp_path):
    path = write(tmp_path / "log.parquet", user_id=[1], rating=[5], text=["long"], part=["train"])
    source = LogSource.open(path, LogConfig(), ["part"])
    assert set(source.columns) == {"user_id", "item_id", "part", "rating"}
    assert isinstance(source.dataset, ds.Dataset)


def test_strict_refuses_the_first_batch_with_a_bad_row(tmp_path):
    write(tmp_path / "0.parquet", weight=[1.0, 1.0])
    write(tmp_path / "1.parquet", weight=[1.0, -1.0])
    reading = LogSource.open(tmp_path, LogConfig(strict=True)).batches(2)
    assert next(reading).rows_read == 2
    with pytest.raises(InputError, match=r"of 2 rows 1 are not \(weight is negative: 1\); the fir"):
        next(reading)
