import socket

import fsspec
import pandas as pd
import pyarrow.fs as pafs
import pytest

from recsparse.errors import InputError, MissingFileError
from recsparse.files import filesystems
from recsparse.files.filesystems import fetched, file_states, holds, open_filesystem


@pytest.fixture
def memory():
    """A filesystem that is not this machine's, with a folder `shelf` of two files."""
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/shelf/a.txt", b"first")
    filesystem.pipe("/shelf/below/b.txt", b"second")
    yield filesystem
    filesystem.rm("/shelf", recursive=True)


def test_a_folder_elsewhere_is_copied_once_and_again_where_it_changed(memory):
    copy = fetched("memory://shelf")
    assert copy.name == "shelf"
    assert (copy / "below" / "b.txt").read_bytes() == b"second"
    assert fetched("memory://shelf") == copy
    memory.pipe("/shelf/a.txt", b"third")
    assert (fetched("memory://shelf") / "a.txt").read_bytes() == b"third"


def test_a_file_elsewhere_is_copied_under_its_name(memory):
    copy = fetched("memory://shelf/a.txt")
    assert (copy.name, copy.read_bytes()) == ("a.txt", b"first")


def test_whether_a_folder_has_a_file(memory, tmp_path):
    (tmp_path / "a.txt").write_text("")
    for folder in ("memory://shelf", tmp_path, f"file://{tmp_path}"):
        assert holds(folder, "a.txt")
        assert not holds(folder, "b.txt")


def test_the_state_of_a_file_changes_with_its_content(memory, tmp_path):
    local = tmp_path / "a.txt"
    for write, path, place in (
        (lambda text: memory.pipe("/shelf/a.txt", text), "/shelf/a.txt", "memory://shelf/a.txt"),
        (local.write_bytes, str(local), str(local)),
    ):
        filesystem, _ = open_filesystem(place)
        seen = []
        for text in (b"aaaaa", b"bbbbb"):
            write(text)
            seen.append(file_states(filesystem, [path])[0])
        assert seen[0][:2] == seen[1][:2] == (path, 5)
        assert seen[0] != seen[1]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("memory://nothing", "memory://nothing must be a file or a folder, but there is none"),
        ("s3://", "must name what is meant, as in s3://bucket/folder"),
        ("s3:///folder", "s3:///folder must be an address as s3://bucket/folder"),
        ("teapot://short/stout", "teapot://short/stout must be an address that Arrow or fsspec"),
        ("ftp://127.0.0.1:9/log", "ftp://127.0.0.1:9/log must be readable, but .*refused"),
    ],
)
def test_an_address_that_leads_nowhere_is_named(place, message):
    with pytest.raises((InputError, MissingFileError), match=message):
        fetched(place)


@pytest.fixture
def deaf_server():
    """A server that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_nobody_waits_for_a_server_that_says_nothing(deaf_server, monkeypatch):
    monkeypatch.setattr(filesystems, "SECONDS_TO_ANSWER", 0.5)
    with pytest.raises(InputError, match=r"^http://.*/log must answer within 0.5 seconds"):
        fetched(f"http://127.0.0.1:{deaf_server}/log")


def test_s3_gives_up_by_itself_where_nobody_answers():
    filesystem, place = open_filesystem(
        "s3://bucket/a b?region=eu-west-1&scheme=http&endpoint_override=127.0.0.1:9"
    )
    assert place == "bucket/a b"
    assert isinstance(filesystem, pafs.S3FileSystem)
    _, (options, *_) = filesystem.__reduce__()
    assert options["region"] == "eu-west-1"
    assert options["endpoint_override"] == "127.0.0.1:9"
    assert (options["connect_timeout"], options["request_timeout"]) == (5, 10)


@pytest.mark.filterwarnings("ignore")
def test_folders_and_states_of_s3(s3, tmp_path):
    bucket, _ = pafs.FileSystem.from_uri(f"s3://shelf?{s3}")
    bucket.create_dir("shelf")
    frame = pd.DataFrame({"user_id": [1]})
    frame.to_parquet(tmp_path / "a.parquet")
    pafs.copy_files(str(tmp_path), "shelf/folder of today", destination_filesystem=bucket)
    address = f"s3a://shelf/folder of today?{s3}"
    assert holds(address, "a.parquet")
    copy = fetched(address)
    assert copy.name == "folder of today"
    pd.testing.assert_frame_equal(pd.read_parquet(copy / "a.parquet"), frame)
    with pytest.raises(MissingFileError, match="but there is none"):
        fetched(f"s3://nobody/folder?{s3}")
    (state,) = file_states(bucket, ["shelf/folder of today/a.parquet"])
    assert state[1] == (tmp_path / "a.parquet").stat().st_size
    assert state[2].isdigit()
