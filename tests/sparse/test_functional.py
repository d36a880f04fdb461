from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from recsparse.errors import InputError
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.kernel_map import KernelMap
from tests.random_grids import random_tensor, sparse_tensors

pytestmark = pytest.mark.usefixtures("conv_path")

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
    ends, tap_ptr = [torch.tensor([0, 2, 1]), torch.tensor([1, 0, 1])], torch.tensor([0, 2, 3])
    kernel_map = KernelMap(*(part.int() for part in ends), tap_ptr, 3, 2, monotone=False)
    out = sparse_conv(feats, weight, None, kernel_map)
    assert out.tolist() == [[2 * 100.0], [2 * 1.0 + 3 * 10.0]]
    (out * torch.tensor([[5.0], [7.0]])).sum().backward()
    assert feats.grad.tolist() == [[2 * 7.0], [3 * 7.0], [2 * 5.0]]
    assert weight.grad.tolist() == [[[5 * 100.0 + 7 * 1.0, 7 * 10.0]]]


class CallCounter(TorchDispatchMode):
    """Counts how often each operator of recsparse is called."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        if operator.namespace == "recsparse":
            self.calls[operator.name().removeprefix("recsparse::")] += 1
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("wanted", "backward"),
    [
        (["feats"], {"pair_conv": 1}),
        (["weight"], {"pair_conv_weight": 1}),
        (["bias"], {}),
        (["feats", "weight", "bias"], {"pair_conv": 1, "pair_conv_weight": 1}),
    ],
)
def test_only_the_gradients_that_are_wanted_are_computed(wanted, backward):
    x = random_tensor((3, 3), channels=2, density=1.0)
    parts = {
        "feats": x.feats.clone(),
        "weight": torch.ones(4, 2, 3, 3, dtype=torch.float64),
        "bias": torch.ones(4, dtype=torch.float64),
    }
    for name in wanted:
        parts[name].requires_grad_()
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    with CallCounter() as forward:
        out = sparse_conv(*parts.values(), kernel_map)
    with CallCounter() as counter:
        out.sum().backward()
    assert forward.calls == {"pair_conv": 1}
    assert counter.calls == backward
    assert [name for name, part in parts.items() if part.grad is not None] == wanted


def test_second_derivatives_equal_those_of_the_dense_convolution():
    x = random_tensor((4, 5), batch_size=2, channels=2)
    weight = torch.linspace(-1, 1, 4 * 2 * 9, dtype=torch.float64).reshape(4, 2, 3, 3)
    second = []
    for convolve in (sparse_at_cells, dense_at_cells):
        inputs = [part.clone().requires_grad_() for part in (x.feats, weight)]
        out = convolve(x.with_feats(inputs[0]), inputs[1], None, (1, 1), 1)
        first = torch.autograd.grad(out.pow(3).sum(), inputs, create_graph=True)
        second.append(torch.autograd.grad(sum(part.square().sum() for part in first), inputs))
    for ours, dense in zip(*second, strict=True):
        torch.testing.assert_close(ours, dense)


@pytest.mark.parametrize("groups", [1, 2])
def test_under_autocast_the_result_has_its_type_and_gradients_those_of_the_inputs(groups):
    x = random_tensor((4, 4), channels=4, dtype=torch.float32)
    weight = torch.linspace(-1, 1, 4 * 36 // groups).reshape(4, 4 // groups, 3, 3)
    case = x, weight, torch.ones(4), (1, 1), groups
    exact = result_and_gradients(sparse_at_cells, *case)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = result_and_gradients(sparse_at_cells, *case)
        dense = result_and_gradients(dense_at_cells, *case)
    assert [part.dtype for part in coarse] == [part.dtype for part in dense]
    assert [part.dtype for part in coarse] == [torch.bfloat16, *[torch.float32] * 3]
    for found, expected in zip(coarse, exact, strict=True):
        torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.05)


@pytest.mark.parametrize(
    ("weight_shape", "groups", "message"),
    [
        ((2, 3, 3), 1, "feats must have 3 channels for each of 1 groups, but got 4"),
        ((3, 2, 3), 2, r"must be multiples of the groups, but got \(3, 2, 3\) and 2 groups"),
        ((2, 4, 3), 0, "must be multiples of the groups, .* and 0 groups"),
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


@pytest.mark.parametrize("change", [torch.Tensor.float, lambda weight: weight.to("meta")])
def test_a_weight_of_another_type_or_device_is_refused(change):
    x = random_tensor((2,), density=1.0)
    kernel_map = x.grid.submanifold_map((3,), (1,))
    with pytest.raises(InputError, match=r"must agree in type and device, but got .*; move one"):
        sparse_conv(x.feats, change(torch.ones(1, 1, 3).double()), None, kernel_map)


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (torch.ones(3).double(), "must have 2 numbers .*float64, but got 3 of torch.float64"),
        (torch.ones(2), "must have 2 numbers .*float64, but got 2 of torch.float32"),
    ],
)
def test_a_bias_of_another_size_or_type_is_refused(unchecked_types, bias, message):
    x = random_tensor((2,), density=1.0)
    kernel_map = x.grid.submanifold_map((3,), (1,))
    with pytest.raises(InputError, match=message):
        sparse_conv(x.feats, torch.ones(2, 1, 3).double(), bias, kernel_map)
