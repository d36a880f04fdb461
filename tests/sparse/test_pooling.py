import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.pooling import axis_pool, check_reduce, lines_of_cells
from recsparse.sparse.tensor import SparseTensor
from tests.grids import random_tensor, sparse_tensors


def lines_one_by_one(x, kept_axes, reduce):
    """Pool with a loop over all lines, active or not."""
    dense = x.feats.new_zeros(x.batch_size, *[x.spatial_shape[axis] for axis in kept_axes], 1)
    for line in torch.ones(dense.shape[:-1]).nonzero():
        cells = (x.coords[:, [0, *(axis + 1 for axis in kept_axes)]] == line).all(dim=1)
        rows = x.feats[cells]
        if len(rows):
            pooled = {"sum": rows.sum(0), "mean": rows.mean(0), "max": rows.amax(0)}
            dense[tuple(line)] = pooled[reduce]
    return dense.reshape(-1, 1)


@given(
    sparse_tensors(3, channels=1, max_size=3),
    st.lists(st.integers(0, 2), unique=True),
    st.sampled_from(["sum", "mean", "max"]),
)
def test_lines_are_pooled_in_row_major_order_and_empty_ones_are_zero(make, kept_axes, reduce):
    x = make()
    pooled = axis_pool(x, kept_axes, reduce)
    torch.testing.assert_close(pooled, lines_one_by_one(x, kept_axes, reduce))


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_the_gradient_of_pooling_equals_finite_differences(reduce):
    x = random_tensor((3, 4), batch_size=2, channels=2)
    feats = x.feats.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda f: axis_pool(x.with_feats(f), (1,), reduce), feats)


def test_lines_are_numbered_over_samples_and_kept_axes():
    x = SparseTensor.from_dense(torch.ones(2, 1, 2, 3))
    line, num_lines = lines_of_cells(x, (1,))
    assert line.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]
    assert num_lines == 2 * 3


@pytest.mark.parametrize("axes", [(2,), (0, -1)])
def test_an_axis_that_the_grid_lacks_is_refused(axes):
    with pytest.raises(InputError, match="axes must be from 0 to 1, but got"):
        axis_pool(random_tensor((2, 2)), axes, "sum")


def test_an_unknown_reduction_is_refused():
    assert check_reduce("max") is None
    with pytest.raises(InputError, match="one of sum, mean, max, lp, but got 'median'"):
        check_reduce("median")
