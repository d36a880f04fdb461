import hashlib
import logging

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from recsparse.config.data import LogConfig
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.building.taken import TAKEN, TakenFile, TakenFiles, load_taken
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.reading.log_source import LogSource
from recsparse.errors import InputError
from recsparse.stages.prepare import prepare
from tests.prepared import contents, log_table
from tests.row_frames import all_rows

DAYS = {
    "monday": [(user, item) for user in range(6) for item in range(6)],
    "tuesday": [(user, item) for user in range(3, 9) for item in range(4, 10)],
    "wednesday": [(user, item) for user in range(2, 8) for item in range(8, 14)],
}
SUM = load_config(None, ["log.duplicates=sum"])


@pytest.fixture
def logs(tmp_path):
    """A folder of one log a day."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for number, (day, rows) in enumerate(DAYS.items()):
        times = range(number * 1000, number * 1000 + len(rows))
        pq.write_table(log_table(rows, times), folder / f"{day}.parquet")
    return folder


def taken(logs, out, **sources):
    config = None if "append_to" in sources else SUM
    return prepare(Sources(logs=logs, **sources), out, config=config)


@pytest.fixture
def monday(logs, tmp_path):
    taken(logs / "monday.parquet", tmp_path / "dataset")
    return tmp_path / "dataset"


def test_a_dataset_records_the_files_that_it_was_made_of(logs, monday, tmp_path):
    taken(logs / "tuesday.parquet", monday, append_to=monday)
    found = pd.read_parquet(monday / "log" / TAKEN)
    for row, day in zip(found.itertuples(), ["monday", "tuesday"], strict=True):
        path = logs / f"{day}.parquet"
        assert row.address == str(path)
        assert row.bytes == path.stat().st_size
        assert row.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    # The order of intakes makes no other record.
    taken([logs / "tuesday.parquet", logs / "monday.parquet"], tmp_path / "at once")
    assert load_taken(monday / "log") == load_taken(tmp_path / "at once" / "log")


@pytest.mark.parametrize("copied", [False, True])
def test_the_same_file_again_is_refused_by_name_and_nothing_changes(logs, monday, copied):
    path = logs / "monday.parquet"
    if copied:
        path = path.rename(logs / "again.parquet")
    before = contents(monday)
    message = rf"1 of 1 were taken before or are named twice: .*{path.name}.*--only-new, .*--again"
    with pytest.raises(InputError, match=message):
        taken(path, monday, append_to=monday)
    assert contents(monday) == before


def test_again_takes_a_file_once_more(logs, monday, tmp_path):
    path = logs / "monday.parquet"
    twice = taken(path, tmp_path / "twice", append_to=monday, repeats="take")
    assert set(all_rows(twice)["weight"].to_pylist()) == {2.0}
    assert len(load_taken(tmp_path / "twice" / "log")) == 2


def test_a_folder_of_all_days_names_the_new_ones_and_they_alone_may_be_taken(
    logs, monday, tmp_path
):
    message = (
        "1 of 3 were taken before or are named twice: .*monday.*; new are .*tuesday.*wednesday"
    )
    with pytest.raises(InputError, match=message):
        taken(logs, monday, append_to=monday)
    taken(logs, tmp_path / "appended", append_to=monday, repeats="skip")
    prepare(Sources(logs=logs, ids_from=monday), tmp_path / "at once", config=SUM)
    assert contents(tmp_path / "appended") == contents(tmp_path / "at once")
    # A job that is tried again finds nothing new, and changes nothing.
    taken(logs, tmp_path / "appended", append_to=tmp_path / "appended", repeats="skip")
    assert contents(tmp_path / "appended") == contents(tmp_path / "at once")


@pytest.mark.parametrize(
    "given",
    [
        lambda logs: [logs, logs / "monday.parquet"],
        lambda logs: [f"{logs}/*day.parquet", f"{logs}/mon*"],
        lambda logs: [logs / "monday.parquet", logs / "monday.parquet"],
    ],
)
def test_overlapping_paths_of_one_intake_are_refused(logs, tmp_path, given):
    with pytest.raises(
        InputError, match=r"were taken before or are named twice: .*monday\.parquet"
    ):
        taken(given(logs), tmp_path / "dataset")
    found = taken(given(logs), tmp_path / "dataset", repeats="skip")
    assert set(all_rows(found)["weight"].to_pylist()) <= {1.0, 2.0}
    assert found.counts["log_rows"] in (36, 108)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_file_is_not_both_trained_on_and_predicted(logs, tmp_path, part):
    given = {part: logs / "monday.parquet"}
    with pytest.raises(
        InputError, match=r"1 of 4 were taken before or are named twice: .*monday\.parquet"
    ):
        taken(logs, tmp_path / "dataset", **given)


def test_partitions_of_equal_files_are_different_days(tmp_path):
    table = log_table(DAYS["monday"]).drop_columns(["timestamp"])
    for day in ("2026-01-01", "2026-01-02"):
        (tmp_path / "logs" / f"date={day}").mkdir(parents=True)
        pq.write_table(table, tmp_path / "logs" / f"date={day}" / "part-0.parquet")
    config = load_config(None, ["log.duplicates=keep", "log.timestamp_column=date"])
    data = prepare(tmp_path / "logs", tmp_path / "dataset", config=config)
    assert data.counts["log_rows"] == 2 * table.num_rows
    # A key that is not read does not tell rows apart.
    with pytest.raises(InputError, match="1 of 2 were taken before"):
        prepare(tmp_path / "logs", tmp_path / "other", config=SUM)


def test_one_file_may_be_taken_by_conditions_that_differ(logs, tmp_path):
    def by(condition, **sources):
        shares = ["split.test=0.3", "split.validation=0.3"]
        config = load_config(None, [*shares, f"log.where={condition}"])
        path = logs / "monday.parquet"
        return prepare(Sources(logs=path, **sources), tmp_path / "dataset", config=config)

    by("item_id < 3")
    data = by("item_id >= 3", append_to=tmp_path / "dataset")
    assert data.counts["log_rows"] == 36
    for condition in ("item_id < 3", "item_id >= 3", ""):
        with pytest.raises(InputError, match="1 of 1 were taken before"):
            by(condition, append_to=tmp_path / "dataset")


def test_files_without_rows_may_be_alike(logs, monday):
    empty = log_table([], [])
    for name in ("a", "b"):
        pq.write_table(empty, logs / f"{name}.parquet")
        (logs / f"{name}.csv").write_text("user_id,item_id,timestamp\n", encoding="utf-8")
    (logs / "monday.parquet").unlink()
    assert taken(logs, monday, append_to=monday).counts["log_rows"] == 108


def test_a_file_that_has_grown_since_is_warned_of(logs, monday, caplog):
    rows = [*DAYS["monday"], (77, 78)]
    pq.write_table(log_table(rows), logs / "monday.parquet")
    with caplog.at_level(logging.WARNING):
        taken(logs / "monday.parquet", monday, append_to=monday)
    assert "1 files were taken before with other content" in caplog.text
    assert "monday.parquet" in caplog.text


def test_a_dataset_of_an_older_build_has_no_record_which_is_said(logs, monday, caplog):
    (monday / "log" / TAKEN).unlink()
    data = taken(logs / "tuesday.parquet", monday, append_to=monday)
    assert "no record of its files" in caplog.text
    assert data.counts["log_rows"] == 72
    # From then on there is one, of the new files.
    with pytest.raises(InputError, match="1 of 1 were taken before"):
        taken(logs / "tuesday.parquet", monday, append_to=monday)


def test_the_same_rows_in_another_filesystem_are_the_same_file(logs, monday):
    content = (logs / "monday.parquet").read_bytes()
    MemoryFileSystem().pipe_file("/taken/monday.parquet", content)
    with pytest.raises(InputError, match=r"memory:///taken/monday\.parquet \(as /"):
        taken("memory://taken/monday.parquet", monday, append_to=monday)


def test_packed_text_is_hashed_as_it_lies_there(tmp_path):
    path = tmp_path / "log.csv.gz"
    pd.DataFrame(DAYS["monday"], columns=["user_id", "item_id"]).to_csv(path, index=False)
    files = TakenFiles([LogSource.open(path, LogConfig())])
    with files.hashed():
        pass
    files.save(tmp_path)
    (found,) = load_taken(tmp_path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_damaged_record_is_named(logs, monday):
    (monday / "log" / TAKEN).write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"taken\.parquet must be the Parquet file"):
        taken(logs / "tuesday.parquet", monday, append_to=monday)


def test_a_file_that_vanishes_is_named(logs):
    files = TakenFiles([LogSource.open(logs / "monday.parquet", LogConfig())])
    (logs / "monday.parquet").unlink()
    with (
        pytest.raises(InputError, match=r"monday\.parquet must be a complete Parquet file"),
        files.hashed(),
    ):
        pass


def test_repeats_need_the_same_content_and_may_be_told_apart():
    one = TakenFile("a", 3, "sum", "date=1", None)
    assert one.repeats(TakenFile("b", 3, "sum", "date=1", "x > 1"))
    assert one.repeats(TakenFile("a", 3, "sum", "", None))
    assert not one.repeats(TakenFile("b", 3, "sum", "date=2", None))
    assert not one.repeats(TakenFile("a", 3, "other", "date=1", None))


def test_the_record_has_types_of_its_own(tmp_path):
    TakenFiles([]).save(tmp_path)
    assert load_taken(tmp_path) == []
    assert pq.read_schema(tmp_path / TAKEN).field("where").type == pa.string()


def test_all_rows_stay_when_nothing_is_new(logs, monday):
    before = all_rows(load_dataset(monday))
    after = all_rows(taken(logs / "monday.parquet", monday, append_to=monday, repeats="skip"))
    assert after.equals(before)
