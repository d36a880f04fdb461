from pathlib import Path

import pytest

from recsparse.errors import InputError, OutputError
from recsparse.files.addresses import folder_of, is_address, last_name, local_path, plain
from recsparse.files.filesystems import fetched


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("file:///log/a.parquet", "/log/a.parquet"),
        ("file://localhost/log", "/log"),
        ("FILE:///log", "/log"),
        (Path("file:///log"), "/log"),
        ("file:///log%20of%20today", "/log of today"),
        ("log", "log"),
        ("log: today", "log: today"),
        ("C:/log", "C:/log"),
        ("://b", "://b"),
    ],
)
def test_what_lies_on_this_machine_is_a_path(place, path):
    assert not is_address(place)
    assert plain(place) == path
    assert fetched(place) == local_path(place) == Path(path)


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs", "memory", "https", "hdfs"])
def test_an_address_keeps_its_slashes_through_pathlib(scheme):
    address = f"{scheme}://bucket/folder"
    assert is_address(address)
    assert plain(Path(address)) == plain(address) == address
    assert last_name(Path(address)) == "folder"
    assert folder_of(address) == Path()


def test_addresses_of_mlflow_are_left_to_it():
    assert plain("models:/shelf/1") == plain(Path("models:/shelf/1")) == "models:/shelf/1"


def test_escapes_of_a_folder_of_partitions_are_its_own_name(tmp_path):
    (tmp_path / "hour=2026-01-01 07%3A00").mkdir()
    place = f"file://{tmp_path}/hour=2026-01-01 07%3A00"
    assert fetched(place).is_dir()


def test_a_file_of_another_machine_is_refused():
    with pytest.raises(InputError, match=r"file://log must name a file of this machine, .* 'log'"):
        plain("file://log")


def test_an_output_elsewhere_is_refused():
    with pytest.raises(OutputError, match="s3://bucket/out must be a path of this machine"):
        local_path("s3://bucket/out")
