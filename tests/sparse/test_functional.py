import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from recsparse.errors import InputError
from recsparse.sparse.functional import axis_pool, check_reduce, lines_of_cells, sparse_conv
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from tests.grids import random_tensor, sparse_tensors

DENSE_CONV = {1: nn.functional.conv1d, 2: nn.functional.conv2d, 3: nn.functional.conv3d}


@st.composite
def convolutions(draw, num_axes, **sizes):
    """Draw how to make a tensor, a weight, a bias or None, a dilation and the groups."""
    groups = draw(st.integers(1, 2))
    in_channels, out_channels = (groups * draw(st.integers(1, 2)) for _ in range(2))
    make = draw(sparse_tensors(num_axes, channels=in_channels, min_size=1, **sizes))
    kernel_size = draw(st.tuples(*[st.sampled_from([1, 3, 5])] * num_axes))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * num_axes))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    weight = torch.randn(
        out_channels, in_channels // groups, *kernel_size, generator=generator, dtype=torch.float64
    )
    bias = weight.flatten(1).sum(1) if draw(st.booleans()) else None
    return make, weight, bias, dilation, groups


def dense_at_cells(x, weight, bias, dilation, groups):
    """Convolve the dense tensor as torch does, and read the result at the active cells."""
    kernel_size = weight.shape[2:]
    padding = [step * (size - 1) // 2 for size, step in zip(kernel_size, dilation, strict=True)]
    convolve = DENSE_CONV[len(kernel_size)]
    dense = convolve(x.to_dense(), weight, bias, 1, padding, dilation, groups)
    return dense.movedim(1, -1)[tuple(x.coords.T)]


def sparse_at_cells(x, weight, bias, dilation, groups):
    kernel_map = x.grid.submanifold_map(weight.shape[2:], dilation)
    return sparse_conv(x.feats, weight, bias, kernel_map, groups)


def result_and_gradients(convolve, x, weight, bias, dilation, groups):
    inputs = [x.feats, weight] if bias is None else [x.feats, weight, bias]
    inputs = [part.clone().requires_grad_() for part in inputs]
    feats, weight, *rest = inputs
    out = convolve(x.with_feats(feats), weight, *(rest or [None]), dilation, groups)
    into = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).reshape(out.shape)
    return out, *torch.autograd.grad(out, inputs, into)


@pytest.mark.parametrize("num_axes", [1, 2, 3])
@given(data=st.data())
def test_results_and_all_gradients_equal_those_of_the_dense_convolution(num_axes, data):
    make, *case = data.draw(convolutions(num_axes))
    found = result_and_gradients(sparse_at_cells, make(), *case)
    expected = result_and_gradients(dense_at_cells, make(), *case)
    assert len(found) == len(expected)
    for ours, dense in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, dense, atol=1e-10, rtol=1e-10)


@settings(max_examples=8)
@given(convolutions(2, max_size=3))
def test_the_gradients_equal_finite_differences(case):
    make, weight, bias, dilation, groups = case
    x = make()
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    inputs = [part.requires_grad_() for part in (x.feats.clone(), weight, bias)]

    def convolve(feats, weight, bias):
        return sparse_at_cells(x.with_feats(feats), weight, bias, dilation, groups)

    assert torch.autograd.gradcheck(convolve, inputs)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_a_grid_without_places_gives_no_rows_and_zero_gradients(shape):
    x = random_tensor(shape, channels=2)
    weight = torch.ones(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    out = sparse_at_cells(x, weight, None, (1, 1), 1)
    out.sum().backward()
    assert out.shape == (0, 3)
    assert torch.equal(weight.grad, torch.zeros(3, 2, 3, 3, dtype=torch.float64))


def test_a_map_onto_other_cells_sums_the_products_of_its_pairs():
    feats = torch.tensor([[1.0], [10.0], [100.0]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[[2.0, 3.0]]], dtype=torch.float64, requires_grad=True)
    # Tap 0 joins 0 -> 1 and 2 -> 0, tap 1 joins 1 -> 1.
    kernel_map = KernelMap(torch.tensor([0, 2, 1]), torch.tensor([1, 0, 1]), (0, 2, 3), 3, 2)
    out = sparse_conv(feats, weight, None, kernel_map)
    assert out.tolist() == [[2 * 100.0], [2 * 1.0 + 3 * 10.0]]
    (out * torch.tensor([[5.0], [7.0]])).sum().backward()
    assert feats.grad.tolist() == [[2 * 7.0], [3 * 7.0], [2 * 5.0]]
    assert weight.grad.tolist() == [[[5 * 100.0 + 7 * 1.0, 7 * 10.0]]]


@pytest.mark.parametrize("groups", [1, 2])
def test_forward_and_backward_multiply_once_a_pair_of_active_cells(groups):
    # A dense grid of this size would not fit any memory.
    places = torch.tensor([0, 1, 2, 2**19, 10**6 - 1])
    coords = torch.stack([torch.zeros_like(places), places, places], dim=1)
    x = sparse_tensor(coords, torch.ones(5, 4), (10**6, 10**6), 1)
    feats = x.feats.clone().requires_grad_()
    weight = torch.ones(6, 4 // groups, 3, 3, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        out = sparse_at_cells(x.with_feats(feats), weight, None, (1, 1), groups)
        forward = counter.get_total_flops()
        out.sum().backward()
    pairs = 5 + 2 + 2  # each cell with itself, (0, 0) with (1, 1) and (1, 1) with (2, 2) both ways
    assert forward == 2 * pairs * 4 * 6 / groups
    assert counter.get_total_flops() == 3 * forward
    assert feats.grad.shape == (5, 4)
    assert feats.grad[:, 0].tolist() == [6 / groups * pairs for pairs in (2, 3, 2, 1, 1)]


@pytest.mark.parametrize("wanted", [0, 1], ids=["features", "weight"])
def test_only_the_gradient_that_is_wanted_is_computed(wanted):
    x = random_tensor((3, 3), channels=2, density=1.0)
    parts = [x.feats, torch.ones(4, 2, 3, 3, dtype=torch.float64)]
    parts[wanted].requires_grad_()
    with FlopCounterMode(display=False) as counter:
        out = sparse_at_cells(x.with_feats(parts[0]), parts[1], None, (1, 1), 1)
        forward = counter.get_total_flops()
        out.sum().backward()
    assert counter.get_total_flops() == 2 * forward
    assert parts[wanted].grad.shape == parts[wanted].shape
    assert parts[1 - wanted].grad is None


def test_the_gradient_has_no_gradient_of_its_own():
    x = random_tensor((3, 3))
    weight = torch.ones(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    out = sparse_at_cells(x, weight, None, (1, 1), 1).square().sum()
    (grad,) = torch.autograd.grad(out, weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("groups", [1, 2])
def test_under_autocast_products_are_coarser_and_sums_keep_the_type_of_the_features(groups):
    x = random_tensor((4, 4), channels=2, dtype=torch.float32)
    weight = torch.linspace(-1, 1, 36 // groups).reshape(2, 2 // groups, 3, 3).requires_grad_()
    exact = result_and_gradients(sparse_at_cells, x, weight, None, (1, 1), groups)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = result_and_gradients(sparse_at_cells, x, weight, None, (1, 1), groups)
    for found, expected in zip(coarse, exact, strict=True):
        torch.testing.assert_close(found, expected, atol=0.1, rtol=0.05)


@pytest.mark.parametrize(
    ("weight_shape", "groups", "message"),
    [
        ((2, 3, 3), 1, "feats must have 3 channels for each of 1 groups .* but got 4 and 2"),
        ((3, 2, 3), 2, "multiple of the groups, but got 4 and 3"),
        ((2, 4, 5), 1, "must have 5 taps and 2 input cells, but has 3 and 2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(weight_shape, groups, message):
    x = random_tensor((2,), channels=4, density=1.0)
    kernel_map = x.grid.submanifold_map((3,), (1,))
    with pytest.raises(InputError, match=message):
        sparse_conv(x.feats, torch.ones(weight_shape).double(), None, kernel_map, groups)


def test_a_kernel_map_of_another_grid_is_refused():
    x, y = random_tensor((2,), density=1.0), random_tensor((3,), density=1.0)
    kernel_map = y.grid.submanifold_map((3,), (1,))
    with pytest.raises(InputError, match="3 taps and 2 input cells, but has 3 and 3"):
        sparse_conv(x.feats, torch.ones(1, 1, 3).double(), None, kernel_map)


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
    with pytest.raises(InputError, match="reduce must be one of sum, mean, max, but got 'median'"):
        check_reduce("median")
