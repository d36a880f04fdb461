"""Headers of safetensors files, which anyone may write."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from recsparse.errors import InputError
from recsparse.scoring.array_file import Stream, read_arrays, write_arrays
from recsparse.scoring.checked_file import CheckedFile, block_sums

ARRAYS = {
    "short": np.arange(3, dtype=np.int32),
    "long": np.arange(10, dtype=np.int64).reshape(5, 2),
    "none": np.zeros((0, 4), dtype=np.float32),
}


def opened(path):
    return read_arrays(CheckedFile(path, block_sums(path)))


def test_what_is_written_is_read_here_and_by_safetensors(tmp_path):
    stream = Stream(np.float32, (4, 2), (np.full((2, 2), part, float) for part in (1, 2)))
    write_arrays(tmp_path / "file", {**ARRAYS, "made": stream}, {"of": "a test"})
    expected = {**ARRAYS, "made": np.repeat([1, 2], 4).reshape(4, 2).astype(np.float32)}
    by_others, (found, about) = load_file(tmp_path / "file"), opened(tmp_path / "file")
    assert set(found) == set(by_others) == set(expected)
    for name, value in expected.items():
        for own in (by_others[name], found[name].whole()):
            np.testing.assert_array_equal(own, value)
            assert own.dtype == value.dtype
        assert found[name].begin % value.dtype.itemsize == 0
    with safe_open(tmp_path / "file", framework="numpy") as file:
        assert file.metadata() == about == {"of": "a test"}


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 6), (6, 6), (3, 2)])
def test_rows_outside_of_an_array_are_never_read(tmp_path, start, stop):
    write_arrays(tmp_path / "file", ARRAYS, {})
    found, _ = opened(tmp_path / "file")
    with pytest.raises(IndexError, match="from 0 to 5"):
        found["long"].rows(np.array([start]), np.array([stop]))


def array(**changes):
    return {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]} | changes


@pytest.mark.parametrize(
    "header",
    [
        [], 3, None, "text", {"a": 3}, {"a": {}}, {"a": array(dtype="C64")}, {"a": array(shape=3)},
        {"a": array(dtype=[])}, {"a": array(shape=[-2])}, {"a": array(shape=[True, 2])},
        {"a": array(shape=[2.0])}, {"a": array(data_offsets=[0])}, {"a": array(data_offsets=None)},
        {"a": array(data_offsets=[-16, 0])}, {"a": array(data_offsets=[16, 0])},
        {"a": array(data_offsets=[16, 32])}, {"a": array(data_offsets=[0, 24])},
        {"a": array(shape=[2**61])}, {"a": array(shape=[2**63], data_offsets=[0, 2**66])},
        {"__metadata__": {"a": 3}}, {"__metadata__": 3},
    ],
    ids=str,
)  # fmt: skip
def test_headers_that_are_none_are_refused(tmp_path, header):
    text = json.dumps(header).encode()
    path = tmp_path / "file"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(InputError, match="its header is none"):
        opened(path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"text", bytes(8), b"\xff" * 8, (3).to_bytes(8, "little") + b"\xff\xfe\xfd",
        (99).to_bytes(8, "little") + b"{}", (20_000).to_bytes(8, "little") + b"[" * 20_000,
    ],
    ids=len,
)  # fmt: skip
def test_files_of_something_else_are_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match="its header is none"):
        opened(tmp_path / "file")
