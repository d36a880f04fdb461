import errno

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import OutputError
from recsparse.scoring.parts import PartedOutput, rechunk

JOB = {"kind": "score", "sha256": "a"}


def rows(*values):
    return pa.table({"value": pa.array(values, pa.int64())})


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@given(st.lists(st.integers(0, 7), max_size=6), st.integers(1, 5))
def test_tables_have_the_rows_asked_for_whatever_the_size_of_the_batches(sizes, num_rows):
    whole = rows(*range(sum(sizes)))
    schema, batches, start = whole.schema, [], 0
    for size in sizes:
        batches += whole[start : start + size].to_batches() or [
            pa.RecordBatch.from_pylist([], schema)
        ]
        start += size
    tables = list(rechunk(iter(batches), num_rows))
    assert [value for table in tables for value in table["value"].to_pylist()] == [
        *range(sum(sizes))
    ]
    assert all(table.num_rows == num_rows for table in tables[:-1])
    assert all(0 < table.num_rows <= num_rows for table in tables)


def test_parts_become_one_file_where_the_name_says_so(tmp_path):
    output = PartedOutput(tmp_path / "out.parquet", JOB)
    for part in range(12):
        output.write(part, rows(2 * part, 2 * part + 1))
    assert not (tmp_path / "out.parquet").exists()
    output.publish()
    assert names(tmp_path) == ["out.parquet"]
    assert pq.read_table(tmp_path / "out.parquet")["value"].to_pylist() == [*range(24)]
    column = pq.read_metadata(tmp_path / "out.parquet").row_group(0).column(0)
    assert column.compression == "ZSTD"


def test_parts_become_a_folder_of_nothing_but_parquet(tmp_path):
    output = PartedOutput(tmp_path / "deep" / "out", JOB)
    output.write(0, rows(1))
    output.write(1, rows(2))
    (output.folder / ".part-00000001.parquet.7.abc").write_text("what a killed job was writing")
    output.publish()
    assert names(tmp_path / "deep") == ["out"]
    assert names(tmp_path / "deep" / "out") == ["part-00000000.parquet", "part-00000001.parquet"]
    assert pq.read_table(tmp_path / "deep" / "out")["value"].to_pylist() == [1, 2]


def test_a_folder_of_fewer_parts_leaves_none_of_an_older_one(tmp_path):
    for values in ((1, 2, 3), (4,)):
        output = PartedOutput(tmp_path / "out", {**JOB, "sha256": str(values)})
        for part, value in enumerate(values):
            output.write(part, rows(value))
        output.publish()
    assert pq.read_table(tmp_path / "out")["value"].to_pylist() == [4]
    assert names(tmp_path) == ["out"]


def test_nothing_is_written_before_the_first_part(tmp_path):
    PartedOutput(tmp_path / "out.parquet", JOB)
    assert names(tmp_path) == []


def test_the_parts_of_a_killed_job_are_done_for_the_same_job(tmp_path):
    PartedOutput(tmp_path / "out", JOB).write(0, rows(1))
    again = PartedOutput(tmp_path / "out", JOB)
    assert [again.is_done(part) for part in (0, 1)] == [True, False]


@pytest.mark.parametrize("manifest", ['kind = "score"\nsha256 = "b"\n', "no toml", "\x00", None])
def test_the_parts_of_another_job_are_thrown_away(tmp_path, manifest):
    output = PartedOutput(tmp_path / "out", JOB)
    output.write(0, rows(1))
    path = output.folder / "job.toml"
    path.unlink() if manifest is None else path.write_text(manifest)
    assert not PartedOutput(tmp_path / "out", JOB).is_done(0)
    assert names(tmp_path) == []


def test_a_job_that_is_no_text_is_another_job(tmp_path):
    output = PartedOutput(tmp_path / "out", JOB)
    output.write(0, rows(1))
    (output.folder / "job.toml").write_bytes(b"\xff\xfe")
    assert not PartedOutput(tmp_path / "out", JOB).is_done(0)


def test_a_full_disk_keeps_the_finished_parts_and_the_old_output(tmp_path, monkeypatch):
    pq.write_table(rows(7), tmp_path / "out.parquet")
    output = PartedOutput(tmp_path / "out.parquet", JOB)
    output.write(0, rows(1))
    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full_disk)
        with pytest.raises(OutputError, match="more room than the disk has"):
            output.write(1, rows(2))
    assert names(output.folder) == ["job.toml", "part-00000000.parquet"]
    assert pq.read_table(tmp_path / "out.parquet") == rows(7)


def test_a_disk_that_fills_up_while_parts_are_joined_keeps_them_for_the_next_try(
    tmp_path, monkeypatch
):
    pq.write_table(rows(7), tmp_path / "out.parquet")
    output = PartedOutput(tmp_path / "out.parquet", JOB)
    output.write(0, rows(1))
    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", full_disk)
        with pytest.raises(OutputError, match="what was there before is untouched"):
            output.publish()
    assert names(tmp_path) == ["out.parquet", "out.parquet.parts"]
    assert pq.read_table(tmp_path / "out.parquet") == rows(7)
    PartedOutput(tmp_path / "out.parquet", JOB).publish()
    assert pq.read_table(tmp_path / "out.parquet") == rows(1)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(OutputError, match="must be a file, but there is a folder"):
        PartedOutput(tmp_path / "out.parquet", JOB)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="must be a folder, but there is a file"):
        PartedOutput(tmp_path / "out", JOB)


def test_parts_can_be_discarded_whether_there_are_any_or_not(tmp_path):
    output = PartedOutput(tmp_path / "out", JOB)
    output.discard()
    output.write(0, rows(1))
    output.discard()
    assert names(tmp_path) == []
