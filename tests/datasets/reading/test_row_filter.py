import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.interaction_log import InteractionLog
from recsparse.datasets.reading.condition import Condition
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.reading.row_filter import check_condition, filtered_batches
from recsparse.datasets.reading.tables import open_dataset
from recsparse.errors import InputError, SchemaError

RNG = np.random.default_rng(0)
DAYS = pd.date_range("2025-12-20", periods=24, freq="D").strftime("%Y-%m-%d")
FRAME = pd.DataFrame(
    {
        "user_id": np.arange(240),
        "item_id": [f"item {number}" for number in RNG.integers(0, 9, 240)],
        "timestamp": RNG.integers(1_766_000_000, 1_769_000_000, 240),
        "event": RNG.choice(["view", "cart", "purchase", "it's"], 240),
        "price": RNG.choice([0.5, 1.25, 9.99, 20.0], 240),
        "a b": RNG.integers(0, 3, 240),
        "date": np.repeat(DAYS, 10),
        "shop": np.tile([1, 2], 120),
    }
)


@pytest.fixture(scope="module")
def partitions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("partitions")
    FRAME.to_parquet(folder, partition_cols=["date", "shop"])
    return folder


def users(paths, where, **settings):
    """Return the users of the rows that pass, sorted, since filtered rows come in any order."""
    source = LogSource.open(paths, LogConfig(where=where, **settings))
    return sorted(user for batch in source.batches() for user in batch.good["user_id"].to_pylist())


CONDITIONS = {
    "user_id > 100": "user_id > 100",
    "user_id % 7 = 3 AND NOT user_id = 10": "user_id % 7 == 3 and user_id != 10",
    "user_id BETWEEN 10 AND 20 OR user_id = 200": "10 <= user_id <= 20 or user_id == 200",
    "event = 'purchase'": "event == 'purchase'",
    "event IN ('view', 'cart') AND price < 2": "event in ('view', 'cart') and price < 2",
    "event = 'it''s'": 'event == "it\'s"',
    "event <> 'view'": "event != 'view'",
    "item_id LIKE '%3' AND price >= 1.25": "item_id.str.endswith('3') and price >= 1.25",
    "upper(event) = 'CART'": "event.str.upper() == 'CART'",
    '"a b" = 1': "`a b` == 1",
    "date >= '2026-01-01'": "date >= '2026-01-01'",
    "date = '2025-12-24' AND shop = 2": "date == '2025-12-24' and shop == 2",
    "shop = 1 AND event = 'cart' OR price > 10": "shop == 1 and event == 'cart' or price > 10",
    "USER_ID < 3": "user_id < 3",
    "true": "user_id >= 0",
    "user_id < 0": "user_id < 0",
    "user_id < 5 -- the first": "user_id < 5",
    "/* the first */ user_id < 5": "user_id < 5",
    "event = 'purchase' AND timestamp >= '2026-01-01'": (
        "event == 'purchase' and timestamp >= 1767225600"
    ),
    "hour(timestamp) = 3": "timestamp // 3600 % 24 == 3",
    "log.timestamp < TIMESTAMP '2025-12-25 12:00'": "timestamp < 1766664000",
}


@pytest.mark.parametrize("where", CONDITIONS)
def test_the_rows_that_pass_are_those_of_a_query_of_pandas(partitions, where):
    expected = FRAME.query(CONDITIONS[where], engine="python")
    assert users(partitions, where) == expected["user_id"].tolist()


def test_rows_that_pass_keep_their_values(partitions):
    source = LogSource.open(partitions, LogConfig(where="user_id % 2 = 1 AND event = 'view'"))
    found = pa.concat_tables([batch.good for batch in source.batches()]).sort_by("user_id")
    wanted = FRAME[(FRAME.user_id % 2 == 1) & (FRAME.event == "view")]
    for name in ("user_id", "item_id", "timestamp"):
        assert found[name].to_pylist() == wanted[name].tolist()
    assert sum(batch.rows_read for batch in source.batches()) == len(wanted)


def test_partitions_that_cannot_pass_are_not_read(tmp_path):
    FRAME.to_parquet(tmp_path, partition_cols=["date"])
    (path,) = (tmp_path / "date=2026-01-05").glob("*.parquet")
    path.write_bytes(b"PAR1" + b"\xff" * 400 + path.read_bytes()[404:])
    assert users(tmp_path, "date < '2026-01-01'") == list(range(120))
    with pytest.raises(InputError, match=r"date=2026-01-05/.*\.parquet must be a complete Parquet"):
        users(tmp_path, "date > '2026-01-01'")


def test_a_number_that_is_nan_is_larger_than_any_other(tmp_path):
    path = tmp_path / "log.parquet"
    prices = pa.array([1.0, np.nan, 5.0, None], from_pandas=False)
    pq.write_table(pa.table({"user_id": [1, 2, 3, 4], "item_id": [1] * 4, "price": prices}), path)
    assert users(path, "price > 3") == users(path, "price + 0 > 3") == [2, 3]
    assert users(path, "price > 3 AND NOT isnan(price)") == [3]


def test_rejected_rows_are_those_that_pass(tmp_path):
    path = tmp_path / "log.parquet"
    columns = {"user_id": [1, None, None], "item_id": [1, 2, 3], "other": [5, 6, 7]}
    pq.write_table(pa.table(columns), path)
    (batch,) = LogSource.open(path, LogConfig(where="other < 7")).batches()
    assert batch.rows_read == 2
    assert batch.rejected.to_pylist() == [
        {"user_id": None, "item_id": 2, "reason": "user id is null"}
    ]


WRONG = {
    "user_id =": r'fails: Parser Error: syntax error at or near "="',
    "-- all": "fails: Parser Error",
    "SELECT user_id FROM log": "fails: Parser Error",
    "user_id = 1; DROP TABLE log": "fails: Parser Error: .* more than one statement",
    "user_id = 1 /* open": "fails: Parser Error: unterminated",
    "1=1) OR (1=1": r'fails: Parser Error: syntax error at or near "\)"',
    "1=1) UNION ALL (SELECT 9, 9": "fails: Parser Error",
    "user_id = 1, user_id = 2": "fails: .*only a single expression",
    "user_id = 1 LIMIT 5": "fails: Parser Error: .*",
    "user_idd = 1": "\"user_idd\" not found .*; the nearest known is 'user_id'",
    "even = 'view'": "\"even\" not found .*; the nearest known is 'event'",
    'event = "purchase"': "\"purchase\" not found .*; text stands in single quotes: 'purchase'",
    "item_name = 'x'": "\"item_name\" not found .*; the nearest known is 'item_id'",
    "nothing(user_id)": "fails: Catalog Error: Scalar Function with name nothing does not exist",
    "count(*) > 1": "fails: Binder Error: WHERE clause cannot contain aggregates",
    "timestamp >= 1767225600": "; compare timestamp with a time such as '2026-01-31 12:00'",
    "user_id = ?": "fails: Invalid Input Error: Values were not provided",
    "read_csv('/etc/hosts')": "fails: Binder Error: .*table function",
    "user_id IN (SELECT a FROM read_parquet('/a.parquet'))": "fails: Permission Error",
    "user_id IN (SELECT a FROM '/etc/hosts')": "fails: Catalog Error",
    "exists (SELECT * FROM read_text('/etc/hosts'))": "fails: Permission Error",
    "user_id = (SELECT min(user_id) FROM log)": "Table with name log does not exist",
    "exists (SELECT * FROM glob('*'))": "fails: Permission Error",
}


@pytest.mark.parametrize("where", WRONG)
def test_a_wrong_condition_is_refused_before_anything_is_read(partitions, where):
    with pytest.raises(InputError, match=f"log.where must be an SQL condition .*{WRONG[where]}"):
        LogSource.open(partitions, LogConfig(where=where))


def test_a_message_is_one_line(partitions):
    with pytest.raises(InputError) as caught:
        LogSource.open(partitions, LogConfig(where="even = 'view'"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("user_id = 'x'", "Conversion Error: Could not convert string 'x' to INT64"),
        ("item_id::INTEGER > 3", "Conversion Error: Could not convert string 'item .'"),
        ("user_id::TINYINT > 100", "value 128 can't be cast|out of range|Conversion Error"),
        ("error('no ' || event) IS NULL", "Invalid Input Error: no "),
    ],
)
def test_a_condition_that_fails_on_a_row_is_an_input_error(partitions, where, problem):
    source = LogSource.open(partitions, LogConfig(where=where))
    with pytest.raises(InputError, match=f"log.where must be an SQL condition .*{problem}"):
        list(source.batches())


@pytest.mark.parametrize("fault", ["damaged", "vanished"])
def test_a_damaged_file_behind_a_filter_is_named_as_without_one(tmp_path, fault):
    for number in range(4):
        table = pa.table({"user_id": list(range(99)), "item_id": [1] * 99, "event": ["view"] * 99})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    # The damaged column is in the condition alone.
    source = LogSource.open(tmp_path, LogConfig(where="event = 'view'"))
    path = tmp_path / "2.parquet"
    whole = path.read_bytes()
    start = pq.read_metadata(path).row_group(0).column(2).dictionary_page_offset
    path.write_bytes(whole[:start] + b"\xff" * 30 + whole[start + 30 :])
    if fault == "vanished":
        path.unlink()
    with pytest.raises(InputError, match=r"2\.parquet must be a complete Parquet file, but readi"):
        list(source.batches())


def test_columns_that_differ_in_case_alone_cannot_be_told_apart(tmp_path):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": [1], "item_id": [2], "Item_ID": [3]}), path)
    assert InteractionLog.read(path, LogConfig()).table["item_id"].to_pylist() == [2]
    with pytest.raises(SchemaError, match="there are 'item_id' and 'Item_ID'; rename one"):
        LogSource.open(path, LogConfig(where="user_id = 1"))


def test_a_log_without_times_can_be_filtered(tmp_path):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": [1, 2], "item_id": [2, 3], 'a"b': [1, 2]}), path)
    assert users(path, '"a""b" = 2') == [2]
    with pytest.raises(InputError, match='"timestamp" not found'):
        LogSource.open(path, LogConfig(where="timestamp > '2026-01-01'"))


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_pass_as_well(tmp_path, rows):
    path = tmp_path / "log.parquet"
    columns = {
        "user_id": pa.array([7] * rows, pa.int64()),
        "item_id": pa.array(["a"] * rows, pa.string()),
    }
    pq.write_table(pa.table(columns), path)
    assert users(path, "user_id = 7") == [7] * rows


def test_batches_have_no_more_rows_than_asked(partitions):
    source = open_dataset(partitions)
    condition = Condition("shop = 2", "timestamp")
    check_condition(source.schema, ["user_id"], condition)
    batches = list(filtered_batches(source, ["user_id"], condition, 50))
    assert max(batch.num_rows for batch in batches) <= 50
    assert sorted(np.concatenate(batches, axis=None)) == list(range(1, 240, 2))
