import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.orders.cuts import cuts


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(0, 9))
def test_cuts_together_are_all_items_and_none_takes_too_much(sizes, most):
    found = list(cuts(np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), most))
    assert [item for cut in found for item in range(cut.start, cut.stop)] == list(range(len(sizes)))
    for cut in found:
        assert cut.stop - cut.start == 1 or sum(sizes[cut]) <= most
    for cut in found[:-1]:
        assert sum(sizes[cut.start : cut.stop + 1]) > most


def test_of_no_item_there_is_no_cut():
    assert list(cuts(np.array([0]), 3)) == []
