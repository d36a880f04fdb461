import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recsparse.datasets.id_types import ids_of, is_missing_id
from recsparse.errors import InputError


class Stream:
    """A column of a library that has nothing but the Arrow capsule interface."""

    def __init__(self, values):
        self.values = pa.chunked_array([values])

    def __arrow_c_stream__(self, requested_schema=None):
        return self.values.__arrow_c_stream__(requested_schema)


KINDS = {
    "list": list,
    "tuple": tuple,
    "NumPy": np.array,
    "NumPy objects": lambda ids: np.array(ids, dtype=object),
    "pandas": lambda ids: pd.Series(ids, index=range(len(ids), 2 * len(ids))),
    "index": pd.Index,
    "categorical": pd.Categorical,
    "Arrow": pa.array,
    "chunks": lambda ids: pa.chunked_array([ids[:1], [], ids[1:]]),
    "stream": Stream,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ids", [[3, 1, 3], ["c", "a", "c"]], ids=["integers", "strings"])
def test_ids_of_any_container_become_one_arrow_array(kind, ids):
    assert ids_of(KINDS[kind](ids)).equals(pa.array(ids))


def test_numpy_strings_of_any_length_are_ids():
    assert ids_of(np.array(["a", "bb"], dtype=np.dtypes.StringDType())).to_pylist() == ["a", "bb"]


@pytest.mark.parametrize(
    "ids", [[1, "b"], [2**64], pd.Series([1.5]), pa.array([b"a"]), pa.array([[1]]),
     pa.array([2**63], pa.uint64()), pa.array([True])],
    ids=str,
)  # fmt: skip
def test_what_is_neither_integers_nor_strings_is_refused(ids):
    with pytest.raises(InputError, match=r"ids must (be|hold) integers"):
        ids_of(ids)


@pytest.mark.parametrize(
    "nothing",
    [
        [], np.array([]), pd.Series([], dtype=object), pd.Series([], dtype="float64"),
        pd.Categorical([]), pd.Categorical([], categories=["a"]), pa.array([]), pa.nulls(0),
        pa.chunked_array([], pa.string()), pd.Series([], dtype="string[pyarrow]"),
    ],
    ids=lambda nothing: str(getattr(nothing, "dtype", getattr(nothing, "type", "list"))),
)  # fmt: skip
def test_no_ids_are_no_ids_whatever_their_type(nothing):
    assert len(ids_of(nothing)) == 0


@pytest.mark.parametrize("nulls", [pa.nulls(2), pd.Categorical([None, None])])
def test_nulls_alone_stay_null(nulls):
    assert ids_of(nulls).to_pylist() == [None, None]


def test_null_and_blank_ids_name_nobody():
    ids = pa.array(["a", None, "", " ", "\t\n", "\u00a0", " a", "0"])
    assert is_missing_id(ids).tolist() == [False, True, True, True, True, True, False, False]
    assert is_missing_id(pa.array([0, None])).tolist() == [False, True]
    assert is_missing_id(pa.array([], pa.string())).tolist() == []
