import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.packed_order import packed_order

columns = st.integers(0, 12).flatmap(
    lambda size: st.lists(
        st.one_of(
            st.lists(st.integers(-3, 3), min_size=size, max_size=size).map(
                lambda values: np.array(values, dtype=np.int64)
            ),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=size, max_size=size).map(
                lambda values: np.array(values, dtype=np.int64)
            ),
            st.lists(st.integers(0, 2), min_size=size, max_size=size).map(
                lambda values: np.array(values, dtype=np.uint8)
            ),
            st.lists(st.sampled_from([-np.inf, 0.5, 2.0]), min_size=size, max_size=size).map(
                lambda values: np.array(values, dtype=np.float32)
            ),
        ),
        min_size=1,
        max_size=4,
    )
)


@given(columns)
def test_the_order_is_that_of_a_stable_sort_by_tuples(columns):
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    expected = sorted(range(len(rows)), key=rows.__getitem__)
    assert packed_order(columns).tolist() == expected


@pytest.mark.parametrize("bits", [61, 62, 63])
def test_ranges_that_just_fit_and_that_do_not_are_sorted_alike(bits):
    # Four rows take two bits besides those of the range.
    column = np.array([2**bits - 1, 0, 2**bits - 2, 0], dtype=np.uint64)
    assert packed_order([column]).tolist() == [1, 3, 2, 0]
