import gzip

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.interaction_log import InteractionLog
from recsparse.datasets.reading.find_files import find_files
from recsparse.datasets.reading.tables import open_dataset
from recsparse.errors import InputError, MissingFileError
from recsparse.stages.prepare import prepare

FRAME = pd.DataFrame({"user_id": [1, 2, 3, 4], "item_id": ["a", "b", "a", "c"]})


def write(path, frame=FRAME):
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)
    return path


def names(path):
    return [name for files in find_files(path) for name in files.names]


def relative(path, folder):
    return [name.removeprefix(f"{folder}/") for name in names(path)]


@pytest.fixture
def days(tmp_path):
    for day in ("2026-01-01", "2026-01-02", "2026-02-01"):
        write(tmp_path / f"logs/date={day}/part-0.parquet")
        write(tmp_path / f"logs/date={day}/_hidden.parquet")
    (tmp_path / "logs/readme.txt").write_text("about")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("logs", ["01-01", "01-02", "02-01"]),
        ("logs/", ["01-01", "01-02", "02-01"]),
        ("logs/date=2026-01-*/part-*.parquet", ["01-01", "01-02"]),
        ("logs/date=2026-01-*", ["01-01", "01-02"]),
        ("logs/date=2026-0?-01", ["01-01", "02-01"]),
        ("l*/date=2026-0[2-9]-*/*0.parquet", ["02-01"]),
        ("logs/date=2026-01-02/part-0.parquet", ["01-02"]),
    ],
)
def test_files_folders_and_globs_are_found(days, pattern, found):
    expected = [f"logs/date=2026-{day}/part-0.parquet" for day in found]
    assert relative(f"{days}/{pattern}", days) == expected


def test_a_relative_glob_is_found(days, monkeypatch):
    monkeypatch.chdir(days)
    assert len(names("logs/*/part-0.parquet")) == 3
    assert len(names("*/*/part-0.parquet")) == 3


def test_a_glob_keeps_partition_keys_below_what_it_names(days):
    table = open_dataset(days / "logs/date=2026-01-*").to_table()
    assert table["date"].to_pylist() == ["2026-01-01"] * 4 + ["2026-01-02"] * 4


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path):
    path = write(tmp_path / "part[0].parquet")
    assert names(path) == [str(path)]


@pytest.mark.parametrize("pattern", ["logs/date=2027-*", "nowhere/*.parquet", "logs/*.csv"])
def test_a_glob_without_a_match_is_named(days, pattern):
    with pytest.raises(MissingFileError, match=r"must match .*, but matches none; check the pat"):
        find_files(days / pattern)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".tsv.gz"])
def test_tables_of_text_are_read_as_pandas_reads_them(tmp_path, ending):
    path = tmp_path / f"log{ending}"
    text = FRAME.to_csv(index=False, sep="\t" if "tsv" in ending else ",")
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    assert open_dataset(path).to_table().to_pandas().to_dict() == FRAME.to_dict()


def test_parquet_and_text_come_through_the_same_door(tmp_path):
    write(tmp_path / "logs/a.parquet")
    (tmp_path / "logs/b.csv").write_text("user_id,item_id\n9,z\n")
    table = open_dataset(tmp_path / "logs").to_table()
    assert table["user_id"].to_pylist() == [1, 2, 3, 4, 9]
    assert table["item_id"].to_pylist()[-1] == "z"


def test_ids_of_text_files_are_of_the_type_of_all_their_values_not_of_the_first(tmp_path):
    path = tmp_path / "log.csv"
    rows = "".join(f"{n},{n % 7}\n" for n in range(200_000))
    for last in ("A7", "07", "+7", "7.0", "99999999999999999999"):
        path.write_text(f"user_id,item_id\n{rows}{last},1\n")
        users = InteractionLog.read(path, LogConfig()).table["user_id"]
        assert (users.type, users[-1].as_py()) == (pa.string(), last)
    for last in ("", "NA"):
        path.write_text(f"user_id,item_id\n{rows}{last},1\n")
        log = InteractionLog.read(path, LogConfig())
        assert log.table["user_id"].type == pa.int64()
        assert log.counts.rejected == {"user id is null": 1}


def test_a_value_that_is_no_number_far_below_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "log.csv"
    rows = "".join(f"{n},1,1\n" for n in range(200_000))
    path.write_text(f"user_id,item_id,weight\n{rows}7,1,heavy\n")
    message = r"log\.csv must hold values of one type in each column, but .*'heavy'"
    with pytest.raises(InputError, match=message):
        InteractionLog.read(path, LogConfig())


def test_any_filesystem_of_fsspec_is_read():
    memory = fsspec.filesystem("memory")
    with memory.open("/logs/day=3/a.parquet", "wb") as file:
        FRAME.to_parquet(file, index=False)
    try:
        assert open_dataset("memory://logs").to_table()["day"].to_pylist() == ["3"] * 4
        assert open_dataset("memory://logs/day=*/a.parquet").count_rows() == 4
        with pytest.raises(MissingFileError, match="memory://none must be a Parquet or CSV file"):
            open_dataset("memory://none")
    finally:
        memory.rm("/logs", recursive=True)


def test_an_unknown_kind_of_address_is_refused():
    with pytest.raises(InputError, match=r"must be an address that Arrow or fsspec can open, but "):
        find_files("teapot://short/stout")


@pytest.mark.filterwarnings("ignore")
def test_a_log_on_s3_becomes_a_dataset(s3, tmp_path):
    bucket, folder = pafs.FileSystem.from_uri(f"s3://logs/days?{s3}")
    bucket.create_dir(folder)
    table = pa.table(
        {"user_id": [u for u in range(6) for _ in range(9)], "item_id": [*range(9)] * 6}
    )
    for day in range(2):
        bucket.create_dir(f"{folder}/date=2026-01-0{day + 1}")
        name = f"{folder}/date=2026-01-0{day + 1}/part.parquet"
        pq.write_table(table.slice(27 * day, 27), name, filesystem=bucket)
    data = prepare(f"s3://logs/days?{s3}", tmp_path / "remote")
    local = tmp_path / "log.parquet"
    pq.write_table(table, local)
    assert data.counts == prepare(local, tmp_path / "local").counts
    assert data.train_matrix().nnz > 0
    assert len(open_dataset(f"s3://logs/days/date=*-02/*.parquet?{s3}").to_table()) == 27
