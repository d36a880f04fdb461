import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.reading.find_files import find_files
from recsparse.datasets.reading.partitions import columns_of_keys, keys_of
from recsparse.datasets.reading.tables import open_dataset

KEYS = {
    "shop=007": "007",
    "shop=7": "7",
    "shop=": "",
    "shop=a%20b%3Dc%25": "a b=c%",
    "shop=__HIVE_DEFAULT_PARTITION__": None,
    "sh%6Fp=x=y": "x=y",
}


@pytest.fixture
def shops(tmp_path):
    for folder in KEYS:
        (tmp_path / "log" / folder).mkdir(parents=True)
        pq.write_table(pa.table({"folder": [folder]}), tmp_path / "log" / folder / "a.parquet")
    return tmp_path / "log"


def test_keys_are_as_arrow_reads_them_and_spelled_as_in_the_folders(shops, monkeypatch):
    rows = open_dataset(shops).to_table().to_pylist()
    assert {row["folder"]: row["shop"] for row in rows} == KEYS
    monkeypatch.chdir(shops)
    for place in (shops, ".", f"{shops}/", f"{shops}/*", "shop=*"):
        for files in find_files(place):
            found = keys_of(files)
            expected = {folder: value for folder, value in KEYS.items()
                        if any(f"{folder}/" in name for name in files.names)}  # fmt: skip
            assert [each["shop"] for each in found.values()] == [
                expected[next(key for key in expected if f"{key}/" in name)] for name in found
            ]


def test_folders_above_the_named_one_are_no_keys(shops):
    (files,) = find_files(shops / "shop=007")
    assert keys_of(files) == {f"{shops}/shop=007/a.parquet": {}}


def test_only_what_a_file_lacks_is_a_key():
    schemas = {"a=1/x": pa.schema([("b", pa.int64())]), "a=2/y": pa.schema([("a", pa.int64())])}
    keys = {"a=1/x": {"a": "1"}, "a=2/y": {"a": "2"}}
    assert columns_of_keys(keys, schemas) == {"a": {"a=1/x": "1"}}
    assert columns_of_keys({"a=2/y": {"a": "2"}}, schemas) == {}
    assert columns_of_keys({}, {}) == {}
