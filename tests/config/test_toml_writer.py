import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.toml_writer import to_toml, write_toml
from recsparse.errors import InputError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = scalars | st.lists(scalars | st.lists(scalars, max_size=2), max_size=3)
settings = st.recursive(
    st.dictionaries(texts, values, max_size=3),
    lambda inner: st.dictionaries(texts, values | inner, max_size=3),
    max_leaves=5,
)


@given(settings)
def test_what_is_written_is_what_is_read(given_settings):
    assert tomllib.loads(to_toml(given_settings)) == given_settings


@pytest.mark.parametrize("text", ['say "a\\b"', "a\nb\r\t", "\x7f\x00\x1b", "é 日本 👍", "# = [x]"])
def test_any_character_survives_in_keys_and_values(text):
    assert tomllib.loads(to_toml({text: text, "s": {text: {}}})) == {text: text, "s": {text: {}}}


def test_values_keep_their_types():
    given_settings = {"a": True, "b": 1, "c": 1.0, "d": 1e300, "e": "1", "f": float("inf")}
    found = tomllib.loads(to_toml(given_settings))
    assert {key: (type(value), value) for key, value in found.items()} == {
        key: (type(value), value) for key, value in given_settings.items()
    }
    assert np.isnan(tomllib.loads(to_toml({"x": float("nan")}))["x"])


def test_plain_values_of_a_section_come_before_its_sections():
    text = to_toml({"a": {"deep": {"x": 1}, "y": (2, 3)}, "z": 4})
    assert text == "z = 4\n\n[a]\ny = [2, 3]\n\n[a.deep]\nx = 1\n"


def test_none_is_left_out():
    assert tomllib.loads(to_toml({"a": None, "s": {"b": None}})) == {"s": {}}


def test_nothing_is_an_empty_file():
    assert tomllib.loads(to_toml({})) == {}


def test_numbers_of_numpy_that_are_floats_are_written_as_numbers():
    assert tomllib.loads(to_toml({"x": np.float64(0.1)})) == {"x": 0.1}


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, [None], [{"a": {1, 2}}], np.int64(3)])
def test_what_toml_cannot_hold_is_refused(value):
    with pytest.raises(
        InputError, match="TOML holds strings, numbers, booleans, lists and tables, but"
    ):
        to_toml({"x": value})


def test_a_file_is_written_in_utf8(tmp_path):
    write_toml(tmp_path / "a.toml", {"name": "日本"})
    assert (tmp_path / "a.toml").read_bytes() == 'name = "日本"\n'.encode()


def test_mappings_in_lists_are_inline_tables():
    values = {"parts": [{"kind": "a", "share": 0.5, "none": None}, {"deep": {"odd key": [1, 2]}}]}
    read = tomllib.loads(to_toml(values))
    assert read == {"parts": [{"kind": "a", "share": 0.5}, {"deep": {"odd key": [1, 2]}}]}
