import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.pooling import (
    axis_pool,
    check_reduce,
    lines_of_cells,
    reduce_lines,
    root_of_powers,
)
from recsparse.sparse.tensor import SparseTensor
from tests.random_grids import random_tensor, sparse_tensors


def lines_one_by_one(x, kept_axes, reduce):
    """Pool with a loop over all lines, active or not."""
    dense = x.feats.new_zeros(x.batch_size, *[x.spatial_shape[axis] for axis in kept_axes], 1)
    for line in torch.ones(dense.shape[:-1]).nonzero():
        cells = (x.coords[:, [0, *(axis + 1 for axis in kept_axes)]] == line).all(dim=1)
        rows = x.feats[cells]
        if len(rows):
            pooled = {"sum": rows.sum(0), "mean": rows.mean(0), "max": rows.amax(0)}
            pooled["lp"] = rows.square().sum(0).sqrt()
            dense[tuple(line)] = pooled[reduce]
    return dense.reshape(-1, 1)


@given(
    sparse_tensors(3, channels=1, max_size=3),
    st.lists(st.integers(0, 2), unique=True),
    st.sampled_from(["sum", "mean", "max", "lp"]),
)
def test_lines_are_pooled_in_row_major_order_and_empty_ones_are_zero(make, kept_axes, reduce):
    x = make()
    pooled = axis_pool(x, kept_axes, reduce)
    torch.testing.assert_close(pooled, lines_one_by_one(x, kept_axes, reduce))


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "lp"])
def test_first_and_second_gradients_of_pooling_equal_finite_differences(reduce):
    x = random_tensor((3, 4), batch_size=2, channels=2)
    feats = x.feats.clone().requires_grad_()

    def pool(feats):
        return axis_pool(x.with_feats(feats**2 + feats), (1,), reduce)

    assert torch.autograd.gradcheck(pool, feats)
    assert torch.autograd.gradgradcheck(pool, feats)


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


@pytest.mark.parametrize("norm_type", [0.0, float("nan")])
def test_an_exponent_without_a_root_is_refused(norm_type):
    with pytest.raises(InputError, match="norm_type must be positive and finite, but got"):
        check_reduce("lp", norm_type)


def test_the_root_of_a_sum_of_powers_is_that_of_torch():
    total = torch.tensor([[0.0], [9.0], [-8.0], [torch.nan]], requires_grad=True)
    root = root_of_powers(total, 2.0)
    torch.testing.assert_close(root[:2].tolist(), [[0.0], [3.0]])
    assert root[2:].isnan().all()
    root[:2].sum().backward()
    torch.testing.assert_close(total.grad[:2].tolist(), [[0.0], [1 / 6]])


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "lp"])
def test_nan_reaches_its_own_line_and_channel_alone(reduce):
    x = random_tensor((4, 4), channels=2, density=1.0)
    feats = x.feats.clone()
    feats[5, 0] = torch.nan
    pooled, before = axis_pool(x.with_feats(feats), (0,), reduce), axis_pool(x, (0,), reduce)
    assert pooled[1, 0].isnan()
    others = torch.tensor([[True, True], [False, True], [True, True], [True, True]])
    assert torch.equal(pooled[others], before[others])


@pytest.mark.parametrize("reduce", ["sum", "mean", "lp"])
def test_low_precision_values_are_added_up_in_single_precision(reduce):
    line, feats = torch.zeros(3000, dtype=torch.int64), torch.ones(3000, 1, dtype=torch.bfloat16)
    expected = {"sum": 3000.0, "mean": 1.0, "lp": 3000.0**0.5}[reduce]
    pooled = reduce_lines(feats, line, 1, reduce)
    assert pooled.dtype == torch.bfloat16
    assert pooled.item() == pytest.approx(expected, rel=2**-8)
