import errno
import os
import tempfile

import numpy as np
import pytest

from recsparse.errors import OutputError
from recsparse.files import scratch
from recsparse.files.scratch import ScratchColumn, scratch_array


@pytest.mark.parametrize("shape", [(0,), (3, 0), (1,), (700, 3)])
def test_an_array_is_of_zeros_and_keeps_what_is_written(shape):
    found = scratch_array(shape, np.float32)
    assert (found.shape, found.dtype) == (shape, np.float32)
    assert not found.any()
    found += 1
    assert found.sum() == np.prod(shape)


def test_nothing_is_left_of_an_array(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = scratch_array((10,), np.int64)
    with ScratchColumn(np.int32) as column:
        column.append(np.arange(3))
        kept = column.array()
    assert kept.sum() == 3
    assert found.sum() == 0
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("lengths", [[], [0], [1], [3, 0, 70_000]])
def test_a_column_holds_what_came_in_its_order(lengths):
    expected = [np.zeros(0, dtype=np.int32)]
    with ScratchColumn(np.int32) as column:
        for length in lengths:
            expected.append(np.random.default_rng(length).integers(-9, 9, length))
            column.append(expected[-1])
        found = column.array()
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_a_full_disk_is_told_with_the_folder_and_the_cure(monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scratch, "_reserve", full)
    with pytest.raises(OutputError, match=r"must fit into .*, but No space left.*TMPDIR"):
        scratch_array((10,), np.float32)


class FullFile:
    """A file on a disk without room."""

    def write(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_column_on_a_full_disk_is_told(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda prefix: FullFile())
    column = ScratchColumn(np.int32)
    with pytest.raises(OutputError, match="No space left"):
        column.append(np.zeros(3))
