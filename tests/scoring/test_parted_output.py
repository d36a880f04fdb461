import errno
import logging
import shutil
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import OutputError
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from recsparse.scoring.parted_output import ENDING, PartedOutput, rechunk
from recsparse.scoring.stamp import ScoresKind


@contextmanager
def parted(out, job="a", overwrite=False):
    kind = ScoresKind.named(out)
    with claim(out, kind, Job("score", job), overwrite, [ENDING]) as output:
        yield PartedOutput(output)


def make(out, *parts, job="a", overwrite=False):
    """Write and publish an output of some parts."""
    with parted(out, job, overwrite) as output:
        for number, part in enumerate(parts):
            output.write(number, part)
        output.publish()


def leave(out, *parts, job="a"):
    """Leave the parts of a job that was killed."""
    with parted(out, job) as output:
        for number, part in enumerate(parts):
            output.write(number, part)
    return output.folder


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
    with parted(tmp_path / "out.parquet") as output:
        for part in range(12):
            output.write(part, rows(2 * part, 2 * part + 1))
        assert not (tmp_path / "out.parquet").exists()
        output.publish(24)
    assert names(tmp_path) == ["out.parquet"]
    assert pq.read_table(tmp_path / "out.parquet")["value"].to_pylist() == [*range(24)]
    column = pq.read_metadata(tmp_path / "out.parquet").row_group(0).column(0)
    assert column.compression == "ZSTD"


@pytest.mark.parametrize("name", ["out.PARQUET", "out.Parquet"])
def test_one_file_is_asked_for_in_capitals_too(tmp_path, name):
    make(tmp_path / name, rows(1), rows(2))
    assert (tmp_path / name).is_file()
    assert pq.read_table(tmp_path / name)["value"].to_pylist() == [1, 2]


def test_parts_become_a_folder_of_nothing_but_parquet(tmp_path):
    with parted(tmp_path / "deep" / "out") as output:
        output.write(0, rows(1))
        output.write(1, rows(2))
        (output.folder / ".part-00000001.parquet.7.01234567").write_text("of a killed job")
        output.publish(2)
    assert names(tmp_path / "deep") == ["out"]
    assert names(tmp_path / "deep" / "out") == ["part-00000000.parquet", "part-00000001.parquet"]
    assert pq.read_table(tmp_path / "deep" / "out")["value"].to_pylist() == [1, 2]


def test_a_folder_of_fewer_parts_leaves_none_of_an_older_one(tmp_path):
    make(tmp_path / "out", rows(1), rows(2), rows(3))
    make(tmp_path / "out", rows(4), job="b", overwrite=True)
    assert pq.read_table(tmp_path / "out")["value"].to_pylist() == [4]
    assert names(tmp_path) == ["out"]


def test_nothing_is_written_before_the_first_part(tmp_path):
    with parted(tmp_path / "out.parquet"):
        assert names(tmp_path) == []


def test_the_parts_of_a_killed_job_are_done_for_the_same_job(tmp_path):
    leave(tmp_path / "out", rows(1))
    with parted(tmp_path / "out") as again:
        assert [again.is_done(part, 1) for part in (0, 1)] == [True, False]


@pytest.mark.parametrize(
    "manifest", [b'kind = "score"\nsha256 = "b"\n', b"no toml", b"\x00", b"", b"\xff\xfe", None]
)
def test_the_parts_of_another_job_are_thrown_away_and_that_is_told(tmp_path, manifest, caplog):
    path = leave(tmp_path / "out", rows(1)) / "job.toml"
    path.unlink() if manifest is None else path.write_bytes(manifest)
    with parted(tmp_path / "out") as output:
        assert not output.is_done(0)
    assert names(tmp_path) == []
    assert "out.parts holds unfinished parts of another job; they are removed" in caplog.text


def test_parts_that_nothing_proves_to_be_ours_stay(tmp_path):
    (tmp_path / "out.parts").mkdir()
    pq.write_table(rows(1), tmp_path / "out.parts" / "part-00000000.parquet")
    with pytest.raises(OutputError, match="which recsparse did not"), parted(tmp_path / "out"):
        pass
    assert names(tmp_path / "out.parts") == ["part-00000000.parquet"]


def damage(path, how):
    content = path.read_bytes()
    if how == "others":
        return pq.write_table(rows(9), path)
    if how == "rows":
        return shutil.copy(path.with_name("part-00000001.parquet"), path)
    flipped = bytes([*content[:10], content[10] ^ 255, *content[11:]])
    return path.write_bytes({"empty": b"", "cut": content[:-9], "flipped": flipped}[how])


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "others", "rows"])
def test_a_part_that_is_not_as_it_was_written_is_made_again(tmp_path, how, caplog):
    damage(leave(tmp_path / "out", rows(1), rows(2, 3)) / "part-00000000.parquet", how)
    with parted(tmp_path / "out") as output, caplog.at_level(logging.WARNING):
        assert [output.is_done(0, 1), output.is_done(1, 2)] == [False, True]
        assert "part-00000000.parquet is damaged; it is made again" in caplog.text
        output.write(0, rows(1))
        output.publish(3)
    assert pq.read_table(tmp_path / "out")["value"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize("out", ["out", "out.parquet"])
def test_parts_and_rows_are_counted_before_anything_is_published(tmp_path, out):
    make(tmp_path / out, rows(7))
    for number, wanted, spoil in [
        (2, 4, lambda folder: None),
        (2, 3, lambda folder: (folder / "part-00000001.parquet").unlink()),
        (2, 3, lambda folder: pq.write_table(rows(9), folder / "part-00000002.parquet")),
        (2, 3, lambda folder: damage(folder / "part-00000000.parquet", "others")),
        (2, 3, lambda folder: damage(folder / "part-00000000.parquet", "rows")),
    ]:
        with parted(tmp_path / out) as output:
            output.write(0, rows(1))
            output.write(number - 1, rows(2, 3))
            spoil(output.folder)
            with pytest.raises(OutputError, match="nothing was published; start the job again"):
                output.publish(wanted)
            output.discard()
        assert pq.read_table(tmp_path / out)["value"].to_pylist() == [7]


def test_a_gap_between_parts_is_noticed(tmp_path):
    with parted(tmp_path / "out") as output:
        output.write(1, rows(2))
        with pytest.raises(OutputError, match="must hold 1 parts of 1 rows"):
            output.publish()


@pytest.mark.parametrize("taken", [True, False])
def test_a_part_is_written_only_while_the_folder_is_this_jobs(tmp_path, taken):
    with parted(tmp_path / "out") as output:
        output.write(0, rows(1))
        if taken:
            # As a writer on a machine that the lock does not reach.
            PartedOutput(output.output).write(1, rows(5))
        else:
            shutil.rmtree(output.folder)
        for do in (lambda: output.write(1, rows(2)), output.publish):
            with pytest.raises(OutputError, match="must be left to this job, but another one has"):
                do()
    assert not (tmp_path / "out").exists()


def test_a_foreign_file_among_the_parts_is_never_removed(tmp_path):
    folder = leave(tmp_path / "out", rows(1))
    (folder / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with (
            pytest.raises(OutputError, match=r"thesis\.txt, which recsparse did not write"),
            parted(tmp_path / "out", overwrite=overwrite),
        ):
            pass
    assert names(folder) == ["job.toml", "part-00000000.parquet", "thesis.txt"]


def test_a_full_disk_keeps_the_finished_parts_and_the_old_output(tmp_path, monkeypatch):
    make(tmp_path / "out.parquet", rows(7))
    with parted(tmp_path / "out.parquet") as output:
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
    make(tmp_path / "out.parquet", rows(7))
    with parted(tmp_path / "out.parquet") as output:
        output.write(0, rows(1))
        with monkeypatch.context() as patch:
            patch.setattr(pq.ParquetWriter, "write_table", full_disk)
            with pytest.raises(OutputError, match="what was there before is untouched"):
                output.publish()
    assert names(tmp_path) == ["out.parquet", "out.parquet.parts"]
    assert pq.read_table(tmp_path / "out.parquet") == rows(7)
    with parted(tmp_path / "out.parquet") as output:
        assert output.is_done(0)
        output.publish()
    assert pq.read_table(tmp_path / "out.parquet") == rows(1)


def test_a_part_that_is_damaged_after_it_was_written_is_named_and_nothing_is_published(tmp_path):
    with parted(tmp_path / "out.parquet") as output:
        output.write(0, rows(1))
        damage(output.folder / "part-00000000.parquet", "flipped")
        with pytest.raises(OutputError, match=r"part-00000000\.parquet must be the part that was"):
            output.publish(1)
    assert names(tmp_path) == ["out.parquet.parts"]


def test_parts_can_be_discarded_whether_there_are_any_or_not(tmp_path):
    with parted(tmp_path / "out") as output:
        output.discard()
        output.write(0, rows(1))
        output.discard()
    assert names(tmp_path) == []


def test_what_a_killed_join_left_is_cleared_by_the_next_job(tmp_path):
    (tmp_path / ".out.parquet.123.0123abcd").write_text("half of a file")
    make(tmp_path / "out.parquet", rows(1))
    assert names(tmp_path) == ["out.parquet"]
