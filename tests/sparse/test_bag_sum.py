import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.sparse.bag_sum import bag_sum


@st.composite
def sums(draw):
    """Rows, cells in the order of their bags, and the number of bags; some of each may be none."""
    num_rows, num_bags = draw(st.integers(1, 6)), draw(st.integers(0, 5))
    cells = st.tuples(st.integers(0, max(num_bags - 1, 0)), st.integers(0, num_rows - 1))
    drawn = sorted(draw(st.lists(cells, max_size=12 if num_bags else 0)))
    bag, row = torch.tensor(drawn, dtype=torch.int64).reshape(-1, 2).T.contiguous()
    torch.manual_seed(draw(st.integers(0, 99)))
    rows = torch.randn(num_rows, draw(st.integers(1, 4)), dtype=torch.float64)
    return rows, torch.randn(len(bag), dtype=torch.float64), row, bag, num_bags


def test_two_bags_by_hand():
    rows, cells = torch.tensor([[1.0], [10.0]]), (torch.tensor([0, 1]), torch.tensor([1, 1]))
    assert bag_sum(rows, torch.tensor([2.0, 3.0]), *cells, 2).tolist() == [[0.0], [32.0]]


@given(sums())
def test_it_is_the_product_with_the_dense_matrix_of_weights(case):
    rows, weights, row, bag, num_bags = case
    matrix = rows.new_zeros(num_bags, len(rows)).index_put((bag, row), weights, accumulate=True)
    torch.testing.assert_close(bag_sum(*case), matrix @ rows)


@given(sums())
def test_first_and_second_gradients_equal_finite_differences(case):
    rows, weights, *cells = case
    inputs = rows.requires_grad_(), weights.requires_grad_()
    assert torch.autograd.gradcheck(lambda r, w: bag_sum(r, w, *cells), inputs)
    assert torch.autograd.gradgradcheck(lambda r, w: bag_sum(r, w, *cells), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_result_has_the_type_of_the_rows(dtype):
    rows = torch.ones(2, 3, dtype=dtype, requires_grad=True)
    summed = bag_sum(
        rows, torch.ones(2, dtype=dtype), torch.tensor([0, 1]), torch.tensor([1, 1]), 2
    )
    assert summed.dtype == dtype
    assert summed.tolist() == [[0.0] * 3, [2.0] * 3]
    summed.sum().backward()
    assert rows.grad.tolist() == [[1.0] * 3] * 2
