import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.errors import InputError


@given(st.permutations(list(range(9))))
def test_rank_and_index_are_inverse(rank):
    order = AxisOrder(np.array(rank))
    assert order.rank[order.index].tolist() == list(range(9))
    assert order.index[order.rank].tolist() == list(range(9))
    assert len(order) == 9


def test_the_identity_leaves_everything_in_its_place():
    assert AxisOrder.identity(3).rank.tolist() == [0, 1, 2]
    assert len(AxisOrder.identity(0)) == 0


@pytest.mark.parametrize("rank", [[0, 0], [1, 2], [-1, 0]])
def test_a_rank_that_is_no_permutation_is_refused(rank):
    with pytest.raises(InputError, match="each of 0 … 1 once"):
        AxisOrder(np.array(rank))
