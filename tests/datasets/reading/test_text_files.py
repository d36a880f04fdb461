import gzip

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.reading.find_files import find_files
from recsparse.datasets.reading.text_files import are_integers, are_numbers, column_types
from recsparse.errors import InputError


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4))
def test_what_integers_are_written_as_are_integers(numbers):
    texts = pa.array([*map(str, numbers), "", "NA", None, " "], pa.string())
    assert are_integers(texts)
    assert are_numbers(texts)


@pytest.mark.parametrize(
    "text", ["07", "007", "+7", "-07", "-0", "7.0", "1e3", "0x1F", "A7", "7 7", str(2**63)]
)
def test_what_they_are_not_written_as_is_text(text):
    assert not are_integers(pa.array(["7", text]))
    assert not are_integers(pa.array([text, None, ""]))


def test_white_space_around_a_number_does_not_matter():
    assert are_integers(pa.array([" 7", "8 "]))
    assert not are_integers(pa.array([" 07"]))


@pytest.mark.parametrize(("text", "expected"), [("1.5", True), ("1e3", True), ("2026-01", False)])
def test_numbers_may_have_fractions(text, expected):
    assert are_numbers(pa.array(["7", text, "", None])) is expected


def types(folder, *names):
    found = find_files(folder)
    schemas = {
        name: each.format.inspect(name, each.filesystem) for each in found for name in each.names
    }
    return column_types(found, schemas, names)


def test_the_types_are_those_of_all_values_of_all_files(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,c,d,e\n1,1,1,1,\n2,2.5,2,2,\n")
    (tmp_path / "b.tsv").write_text("a\tb\tc\n3\t3\t03\n")
    with gzip.open(tmp_path / "c.csv.gz", "wt") as file:
        file.write("d\n" + "4\n" * 9 + "x\n")
    assert types(tmp_path, "a", "b", "c", "d", "e", "f") == {
        "a": pa.int64(), "b": pa.float64(), "c": pa.float64(), "d": pa.string(), "e": pa.int64(),
    }  # fmt: skip


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    found = find_files(tmp_path)
    schemas = {found[0].names[0]: pa.schema([("a", pa.int64())])}
    (tmp_path / "a.csv").write_text("a,b\n1\n")
    with pytest.raises(InputError, match=r"a\.csv must be a complete CSV file"):
        column_types(found, schemas, ["a"])
