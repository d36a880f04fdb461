import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.interaction_log import InteractionLog
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.reading.roles import Roles
from recsparse.datasets.reading.tables import open_dataset
from recsparse.errors import InputError, SchemaError

INT, TEXT = pa.int64(), pa.string()


def files(folder, contents):
    """Write files by path: lists are ids of Parquet, texts are lines of CSV."""
    for name, ids in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if ids is None:
            pq.write_table(pa.table({"user_id": [1, 2]}), path)
        elif isinstance(ids, str):
            path.write_text("user_id,item_id\n" + "".join(f"1,{each}\n" for each in ids.split()))
        else:
            pq.write_table(pa.table({"user_id": [1] * len(ids), "item_id": ids}), path)
    return folder


CASES = {
    "numbers in text": ({"a.csv": "7 8 0 -3"}, INT),
    "a leading zero in another file": ({"a.csv": "7 8", "b.csv": "07"}, TEXT),
    "a leading zero next to Parquet": ({"a.csv": "07", "b.parquet": [7]}, TEXT),
    "numbers next to Parquet": ({"a.csv": "7", "b.parquet": [7]}, INT),
    "numbers next to text in Parquet": ({"a.csv": "7", "b.parquet": ["x"]}, TEXT),
    "a plus": ({"a.csv": "+7 8"}, TEXT),
    "a fraction": ({"a.csv": "7.0 8.0"}, TEXT),
    "an exponent": ({"a.csv": "1e3 8"}, TEXT),
    "a hexadecimal number": ({"a.csv": "0x1F 8"}, TEXT),
    "a key": ({"item_id=7/a.parquet": None}, TEXT),
    "keys": ({"item_id=7/a.parquet": None, "item_id=A7/a.parquet": None}, TEXT),
    "a key next to a column of integers": ({"item_id=7/a.parquet": None, "b.parquet": [8]}, INT),
    "a leading zero in a key": ({"item_id=07/a.parquet": None, "b.parquet": [8]}, TEXT),
    "a key next to text": ({"item_id=7/a.parquet": None, "b.parquet": ["x"]}, TEXT),
    "a key next to a text file": ({"item_id=7/a.parquet": None, "b.csv": "8"}, TEXT),
    "a key that is a column": ({"item_id=07/a.parquet": [7]}, INT),
    "Parquet": ({"a.parquet": [7]}, INT),
}  # fmt: skip


def spelled(contents):
    found = set()
    for name, ids in contents.items():
        key = name.partition("item_id=")[2].partition("/")[0]
        found |= (
            {key} if ids is None else set(ids.split() if isinstance(ids, str) else map(str, ids))
        )
    return found


@pytest.mark.parametrize("case", CASES)
def test_ids_are_text_unless_all_are_written_as_integers(tmp_path, case):
    contents, expected = CASES[case]
    log = InteractionLog.read(files(tmp_path, contents), LogConfig(duplicates="keep"))
    assert log.table["item_id"].type == expected
    assert set(map(str, log.table["item_id"].to_pylist())) == spelled(contents)
    assert log.counts.rejected == {}


@pytest.mark.parametrize("case", CASES)
def test_the_setting_wins_over_what_is_written(tmp_path, case):
    contents, _ = CASES[case]
    folder = files(tmp_path, contents)
    log = InteractionLog.read(folder, LogConfig(id_type="string", duplicates="keep"))
    assert log.table["item_id"].type == TEXT
    assert set(log.table["item_id"].to_pylist()) == spelled(contents)
    if spelled(contents) & {"A7", "x", "+7", "7.0", "1e3", "0x1F"}:
        return
    log = InteractionLog.read(folder, LogConfig(id_type="integer", duplicates="keep"))
    assert log.table["item_id"].type == INT
    assert set(log.table["item_id"].to_pylist()) == set(map(int, spelled(contents)))


@pytest.mark.parametrize(
    "contents", [{"a.csv": "7 A7"}, {"a.parquet": ["7", "A7"]}, {"item_id=A7/a.parquet": None}]
)
def test_what_is_no_integer_is_refused_where_integers_are_wanted(tmp_path, contents):
    with pytest.raises(InputError, match="A7"):
        InteractionLog.read(files(tmp_path, contents), LogConfig(id_type="integer"))


def test_blank_texts_are_no_integers_but_set_aside(tmp_path):
    folder = files(tmp_path, {"a.parquet": ["7", "", " ", "08"]})
    log = InteractionLog.read(folder, LogConfig(id_type="integer"))
    assert log.table["item_id"].to_pylist() == [7, 8]
    assert log.counts.rejected == {"item id is null": 2}


@pytest.mark.parametrize("blank", ["1,\n", '1,""\n', "1, \n", "1,NA\n"], ids=repr)
@pytest.mark.parametrize("others", ["7", "x"])
def test_blank_ids_of_text_files_are_set_aside_and_counted(tmp_path, blank, others):
    (tmp_path / "a.csv").write_text(f"user_id,item_id\n1,{others}\n{blank}")
    log = InteractionLog.read(tmp_path, LogConfig())
    if (others, blank) == ("x", "1,NA\n"):
        assert log.table["item_id"].to_pylist() == ["x", "NA"]
        return
    assert [str(each) for each in log.table["item_id"].to_pylist()] == [others]
    assert sum(log.counts.rejected.values()) == 1


def test_a_type_does_not_depend_on_the_folders_of_the_day(tmp_path):
    for day, key in enumerate(("7", "007", "x")):
        folder = files(tmp_path / str(day), {f"item_id={key}/a.parquet": None})
        assert LogSource.open(folder, LogConfig()).item_type == TEXT


def test_null_and_blank_keys_of_ids_are_set_aside(tmp_path):
    keys = ("7", "", "%20", "__HIVE_DEFAULT_PARTITION__")
    folder = files(tmp_path, {f"item_id={key}/a.parquet": None for key in keys})
    log = InteractionLog.read(folder, LogConfig())
    assert log.table["item_id"].to_pylist() == ["7", "7"]
    assert log.counts.rejected == {"item id is blank": 4, "item id is null": 2}


def test_weights_ratings_and_events_may_be_keys(tmp_path):
    for number, event in ((1, "007"), (2.5, "7")):
        path = tmp_path / f"weight={number}" / f"rating={number}" / f"event={event}" / "a.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"user_id": [1], "item_id": [number * 10]}).cast(
            pa.schema([("user_id", INT), ("item_id", INT)])), path)  # fmt: skip
    config = LogConfig(event_weights={"007": 3.0, "7": 1.0}, min_rating=1)
    table = InteractionLog.read(tmp_path, config).table.sort_by("item_id")
    assert table["weight"].to_pylist() == [3.0, 2.5]
    assert table["rating"].to_pylist() == [1.0, 2.5]


TIME_KEYS = {
    "20260125": 1_769_299_200, "2026-01-25": 1_769_299_200, "2026012513": 1_769_346_000,
    "2026-01-25 13%3A00%3A00": 1_769_346_000, "2026-01-25T13%3A00%3A00+01%3A00": 1_769_342_400,
    "2026-01": 1_767_225_600, "202601": 1_767_225_600, "1767225600": 1_767_225_600,
    "__HIVE_DEFAULT_PARTITION__": None,
}  # fmt: skip


@pytest.mark.parametrize("key", TIME_KEYS)
def test_a_key_in_the_time_column_is_the_date_that_it_spells(tmp_path, key):
    path = tmp_path / f"day={key}" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"user_id": [1], "item_id": [2]}), path)
    config = LogConfig(timestamp_column="day")
    assert InteractionLog.read(tmp_path, config).table["timestamp"].to_pylist() == [TIME_KEYS[key]]
    if TIME_KEYS[key] is not None:
        some = config.model_copy(update={"where": "day >= '2026-01-01' and year(day) = 2026"})
        assert InteractionLog.read(tmp_path, some).counts.rows_read == 1


def test_times_of_text_files_beside_those_of_parquet(tmp_path):
    seconds = 1_767_225_600
    times = {
        "seconds": pa.array([seconds]),
        "instants": pa.array([seconds], pa.timestamp("s", "Asia/Tokyo")),
        "days": pa.array([seconds // 86_400], pa.int32()).cast(pa.date32()),
        "text": pa.array(["2026-01-01"]),
    }  # fmt: skip
    for name, column in times.items():
        for number, text in enumerate((str(seconds), "2026-01-01", "20260101", f"{seconds}.5", "")):
            folder = tmp_path / f"{name} {number}"
            folder.mkdir()
            pq.write_table(
                pa.table({"user_id": [1], "item_id": [1], "timestamp": column}),
                folder / "a.parquet",
            )
            (folder / "b.csv").write_text(f"user_id,item_id,timestamp\n2,2,{text}\n")
            found = InteractionLog.read(folder, LogConfig()).table["timestamp"].to_pylist()
            if name == "seconds" and text == "20260101":
                continue  # whole numbers among seconds
            assert found == [seconds, seconds if text else None], (name, text)


def test_a_row_of_text_without_a_time_is_no_bad_row(tmp_path):
    (tmp_path / "a.csv").write_text(
        "user_id,item_id,timestamp\n1,1,2026-01-01\n2,2,\n3,3,NA\n4,4,x\n"
    )
    log = InteractionLog.read(tmp_path, LogConfig())
    assert log.table["timestamp"].to_pylist() == [1_767_225_600, None, None]
    assert log.counts.rejected == {"timestamp cannot be read": 1}


def test_a_weight_that_text_files_leave_out_is_one(tmp_path):
    (tmp_path / "a.csv").write_text(
        "user_id,item_id,weight\n1,1,\n2,2,2\n3,3,2.5\n4,4,-1\n5,5,inf\n"
    )
    log = InteractionLog.read(tmp_path, LogConfig())
    assert log.table["weight"].to_pylist() == [1.0, 2.0, 2.5]
    assert log.counts.rejected == {"weight is negative": 1, "weight is not finite": 1}


SHOPS = ["001", "002", "010"]
CONDITIONS = {
    "shop = '001'": {"001"}, "shop in ('001', '002')": {"001", "002"}, "shop = 1": {"001"},
    "shop in (1, 10)": {"001", "010"}, "shop <> '001'": {"002", "010"},
    "shop > '001'": {"002", "010"},
}  # fmt: skip


@pytest.mark.parametrize("where", CONDITIONS)
def test_a_condition_on_a_key_is_as_on_a_column_of_text(tmp_path, where):
    table = pa.table({"user_id": [1, 2, 3], "item_id": [1, 2, 3], "shop": SHOPS})
    pq.write_table(table, tmp_path / "one.parquet")
    pq.write_to_dataset(table, tmp_path / "parts", partition_cols=["shop"])
    for source in ("one.parquet", "parts"):
        log = InteractionLog.read(tmp_path / source, LogConfig(where=where))
        shops = {SHOPS[user - 1] for user in log.table["user_id"].to_pylist()}
        assert shops == CONDITIONS[where]


@pytest.mark.parametrize(
    "where", ["hour >= 6", "hour % 2 = 0 and hour > 5", "hour between 6 and 9"]
)
def test_digits_of_keys_are_numbers_where_a_condition_needs_them(tmp_path, where):
    hours = ["05", "06", "08", "10"]
    table = pa.table({"user_id": range(4), "item_id": range(4), "hour": hours})
    pq.write_to_dataset(table, tmp_path, partition_cols=["hour"])
    log = InteractionLog.read(tmp_path, LogConfig(where=where))
    expected = {"hour >= 6": [1, 2, 3], "hour between 6 and 9": [1, 2]}.get(where, [1, 2, 3])
    assert sorted(log.table["user_id"].to_pylist()) == expected


def test_a_condition_that_no_reading_of_the_keys_can_meet_is_refused(tmp_path):
    table = pa.table({"user_id": range(2), "item_id": range(2), "hour": ["05", "x"]})
    pq.write_to_dataset(table, tmp_path, partition_cols=["hour"])
    with pytest.raises(InputError, match="Cannot compare values of type VARCHAR"):
        LogSource.open(tmp_path, LogConfig(where="hour >= 6"))


def test_ids_of_a_settled_type_are_read_in_it(tmp_path):
    folder = files(tmp_path, {"a.csv": "07 8"})
    for kind, expected in ((INT, [7, 8]), (TEXT, ["07", "8"])):
        source = open_dataset(folder, roles=Roles({"item_id": kind}))
        assert source.to_table()["item_id"].to_pylist() == expected


def test_integers_and_text_in_parquet_files_still_conflict(tmp_path):
    folder = files(tmp_path, {"a.parquet": [7], "b.parquet": ["x"], "c.csv": "9"})
    with pytest.raises(SchemaError, match="'item_id' must have one type"):
        InteractionLog.read(folder, LogConfig())
