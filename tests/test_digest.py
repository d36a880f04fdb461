import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.digest import digest, folder_digest

ROWS = csr_matrix(np.array([[0, 1.0, 2], [0, 0, 0]], dtype=np.float32))


def other_in(part):
    other = ROWS.copy()
    if part == "shape":
        return csr_matrix((other.data, other.indices, other.indptr), shape=(2, 4))
    setattr(other, part, getattr(other, part).copy())
    getattr(other, part)[-1] += 1 if part == "data" else -1
    return other


@pytest.mark.parametrize("part", ["data", "indices", "indptr", "shape"])
def test_a_matrix_is_told_from_others_by_each_of_its_parts(part):
    assert digest(other_in(part)) != digest(ROWS) == digest(ROWS.copy())


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=3), st.data())
def test_lists_of_arrays_have_one_digest_only_if_they_are_equal(arrays, data):
    others = data.draw(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=3))
    digests = [digest(*(np.array(each, np.int64) for each in of)) for of in (arrays, others)]
    assert (digests[0] == digests[1]) == (arrays == others)


def test_kinds_and_places_count():
    kinds = [None, "", "None", np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(())]
    assert len({digest(kind) for kind in kinds}) == len(kinds)
    assert digest("a", "b") != digest("ab") != digest("b", "a")
    assert digest(np.arange(6).reshape(2, 3)) != digest(np.arange(6))


def test_how_an_array_lies_in_memory_does_not_count():
    whole = np.arange(12).reshape(3, 4)
    assert digest(whole[:, ::2]) == digest(whole[:, ::2].copy())


def test_python_objects_are_refused():
    with pytest.raises(TypeError, match="must hold numbers to be digested"):
        digest(np.array(["a", 1], dtype=object))


def folder_with(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_a_folder_s_digest_is_that_of_the_names_and_contents_of_its_files(tmp_path):
    found = folder_digest(folder_with(tmp_path, {"b/c": b"two", "a": b"one"}))
    lines = [f"{hashlib.sha256(b'one').hexdigest()} a", f"{hashlib.sha256(b'two').hexdigest()} b/c"]
    assert found == hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_a_digest_changes_with_any_byte_or_name_and_with_nothing_else(tmp_path):
    files = {"rows": b"12", "words": b"", "odd ?#é": b"\x00"}
    first = folder_digest(folder_with(tmp_path / "first", files))
    assert folder_digest(folder_with(tmp_path / "elsewhere", files)) == first
    folder_with(tmp_path / "elsewhere", {".hidden": b"x"})
    assert folder_digest(tmp_path / "elsewhere") == first
    others = [
        {**files, "rows": b"13"},
        {**files, "more": b""},
        {"rows": b"12", "words": b""},
        {"row": b"s12", "words": b"", "odd ?#é": b"\x00"},
    ]
    digests = {
        folder_digest(folder_with(tmp_path / str(number), each))
        for number, each in enumerate(others)
    }
    assert len(digests | {first}) == len(others) + 1


def test_an_empty_folder_has_a_digest(tmp_path):
    assert folder_digest(tmp_path) == hashlib.sha256(b"").hexdigest()
