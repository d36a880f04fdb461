"""Outlines of what lies at an address, and uploads."""

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.errors import OutputError
from recsparse.files.filesystems import fetched
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from recsparse.outputs.kinds import FolderKind
from recsparse.outputs.remote import outline, upload
from recsparse.scoring.stamp import Stamp, read_stamp

BOX = FolderKind("box", "a box", lambda folder: False, ())


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSPARSE_CACHE", str(tmp_path / "cache"))
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def write_box(overwrite=False, meanwhile=lambda: None, text="new", digest="job"):
    out = "memory://shelf/box"
    with claim(out, BOX, Job("pack", digest), overwrite) as output:
        meanwhile()
        with output.folder() as aside:
            (aside / "a.txt").write_text(text)


def test_nothing_at_an_address_has_no_outline(memory):
    with outline("memory://shelf/nothing") as found:
        assert not found.path.exists()
        assert found.states == ()
        assert found.upload is None


@pytest.mark.parametrize("columns", [0, 1, 3000])
def test_the_footer_of_a_parquet_file_is_fetched_whatever_its_size(memory, tmp_path, columns):
    table = pa.table({f"column_{number}": [1.5] * 3 for number in range(columns)})
    stamped = Stamp("job", table.num_rows).put_on(table)
    pq.write_table(stamped, tmp_path / "a.parquet")
    memory.put(str(tmp_path / "a.parquet"), "/shelf/a.parquet")
    with outline("memory://shelf/a.parquet") as found:
        assert found.path.stat().st_size == (tmp_path / "a.parquet").stat().st_size
        assert read_stamp(found.path) == read_stamp(tmp_path / "a.parquet")
        assert read_stamp(found.path) == Stamp("job", table.num_rows)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 7, b"\xff\xff\xff\xffPAR1"])
def test_what_is_no_parquet_file_in_spite_of_its_name_proves_nothing(memory, content):
    memory.pipe("/shelf/a.parquet", content)
    with outline("memory://shelf/a.parquet") as found:
        assert found.path.stat().st_size == len(content)
        assert read_stamp(found.path) is None


def test_a_name_that_leads_out_of_the_folder_is_refused(memory, tmp_path):
    memory.store.clear()
    memory.pipe("/shelf/box/a", b"a")
    memory.store["/shelf/box/../../evil.toml"] = memory.store["/shelf/box/a"]
    with pytest.raises(OutputError, match=r"but holds .*evil\.toml"):
        write_box(overwrite=True)


def test_what_another_writes_meanwhile_is_left(memory):
    def other():
        memory.pipe("/shelf/box/theirs.txt", b"theirs")

    with pytest.raises(OutputError, match=r"memory://shelf/box must be new, empty, or a box"):
        write_box(meanwhile=other)
    assert memory.find("/shelf") == ["/shelf/box/theirs.txt"]


def test_an_output_of_ours_that_another_machine_has_replaced_meanwhile_is_left(memory, monkeypatch):
    write_box(text="old")
    found = {}

    def other():
        # The lock does not reach another machine.
        for name in memory.find("/shelf/box"):
            found[name] = memory.cat(name)
            memory.pipe(name, found[name])

    with pytest.raises(OutputError, match="something else was written there since"):
        write_box(meanwhile=other)
    assert {name: memory.cat(name) for name in memory.find("/shelf/box")} == found


def test_an_upload_that_another_writer_crosses_is_told(memory, tmp_path, monkeypatch):
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "a.txt").write_text("ours")
    real = memory.__class__.rm

    def crossing(self, path, *others, **settings):
        if str(path).endswith("old.txt"):
            self.pipe("/shelf/box/theirs.txt", b"theirs")
        return real(self, path, *others, **settings)

    memory.pipe("/shelf/box/old.txt", b"old")
    monkeypatch.setattr(memory.__class__, "rm", crossing)
    with pytest.raises(OutputError, match=r"'theirs\.txt' is another; another job writes there"):
        upload(tmp_path / "box", "memory://shelf/box", "box", "job")


def test_what_was_written_to_an_address_is_its_own_local_copy(memory, tmp_path):
    write_box()
    copy = fetched("memory://shelf/box")
    assert tmp_path / "cache" in copy.parents
    assert (copy / "a.txt").read_text() == "new"
    write_box(text="newer", digest="other", overwrite=True)
    assert (fetched("memory://shelf/box") / "a.txt").read_text() == "newer"


def test_only_files_that_the_upload_wrote_are_taken_from_one_that_broke_off(memory):
    record = b'kind = "box"\njob = "job"\nfiles = ["a.txt"]\n'
    memory.pipe("/shelf/box/.recsparse-upload.toml", record)
    memory.pipe("/shelf/box/a.txt", b"half")
    memory.pipe("/shelf/box/thesis.txt", b"years of work")
    with pytest.raises(OutputError, match=r"it holds thesis\.txt"):
        write_box(overwrite=True)
    memory.rm("/shelf/box/thesis.txt")
    with pytest.raises(OutputError, match="another job"):
        write_box(digest="other")
    write_box()
    assert memory.cat("/shelf/box/a.txt") == b"new"
    assert "/shelf/box/.recsparse-upload.toml" not in memory.find("/shelf/box")
