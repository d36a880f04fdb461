import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.flop_counter import FlopCounterMode

from recsparse.layers import SparseConv2d, SubmanifoldConv2d
from recsparse.sparse import native_conv, pair_conv
from tests.random_grids import random_tensor

pytestmark = pytest.mark.usefixtures("conv_path")

convolve, convolve_weight = pair_conv.pair_conv, pair_conv.pair_conv_weight


def fields_of(taps):
    """Return the fields of a map of pairs (into, onto), a list of them for each tap."""
    pairs = torch.tensor([pair for tap in taps for pair in tap]).reshape(-1, 2).int()
    tap_ptr = torch.tensor([0, *np.cumsum([len(tap) for tap in taps])])
    return pairs[:, 0].contiguous(), pairs[:, 1].contiguous(), tap_ptr


def tensors_of(num_in, taps, groups=1, c_in=2, c_out=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = (num_in, groups * c_in), (taps, groups, c_in, c_out), (groups * c_out,)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def looped(feats, taps, bias, pairs, num_out):
    """Add up the products of the pairs one by one, in numpy."""
    feats, taps, bias = (part.double().numpy() for part in (feats, taps, bias))
    groups, c_in = taps.shape[1:3]
    out = np.zeros((num_out, len(bias))) + bias
    for weight, ends in zip(taps, pairs, strict=True):
        for into, onto in ends:
            x = feats[into].reshape(groups, c_in)
            out[onto] += np.einsum("gk,gkm->gm", x, weight).reshape(-1)
    return out


def looped_weight(feats, grad, pairs, groups):
    feats, grad = (part.double().numpy() for part in (feats, grad))
    left, right = (part.reshape(len(part), groups, -1) for part in (feats, grad))
    out = np.zeros((len(pairs), groups, left.shape[2], right.shape[2]))
    for tap, ends in zip(out, pairs, strict=True):
        for into, onto in ends:
            tap += np.einsum("gk,gm->gkm", left[into], right[onto])
    return out


@st.composite
def repeating_pairs(draw):
    """Draw numbers of cells, and taps under which a cell may meet several, in any order."""
    num_in, num_out = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    pair = st.tuples(st.integers(0, num_in - 1), st.integers(0, num_out - 1))
    return num_in, num_out, draw(st.lists(st.lists(pair, max_size=20), min_size=1, max_size=3))


@given(repeating_pairs(), st.integers(1, 2), st.integers(1, 2))
def test_cells_that_meet_many_under_one_tap_get_the_sum_of_all(case, groups, c_in):
    num_in, num_out, pairs = case
    feats, taps, bias = tensors_of(num_in, len(pairs), groups, c_in)
    out = convolve(feats, taps, bias, *fields_of(pairs), num_out, False, False)
    np.testing.assert_allclose(out, looped(feats, taps, bias, pairs, num_out), atol=1e-12)
    total = convolve_weight(feats, out, *fields_of(pairs), groups, False, False)
    np.testing.assert_allclose(total, looped_weight(feats, out, pairs, groups), atol=1e-11)


@settings(max_examples=5)
@given(repeating_pairs(), st.integers(1, 2))
def test_derivatives_equal_finite_differences_where_cells_meet_many(case, groups):
    num_in, num_out, pairs = case
    inputs = [part.requires_grad_() for part in tensors_of(num_in, len(pairs), groups)]
    fields = fields_of(pairs)

    def convolved(feats, taps, bias):
        return convolve(feats, taps, bias, *fields, num_out, False, False)

    def weighted(feats, grad):
        return convolve_weight(feats, grad, *fields, groups, False, False)

    assert gradcheck(convolved, inputs, fast_mode=True)
    assert gradgradcheck(convolved, inputs, fast_mode=True)
    grad = convolved(*inputs).detach().requires_grad_()
    assert gradcheck(weighted, (inputs[0], grad), fast_mode=True)
    assert gradgradcheck(weighted, (inputs[0], grad), fast_mode=True)


@pytest.mark.parametrize(("c_in", "c_out"), [(0, 3), (2, 0), (0, 0)])
def test_no_channels_give_the_bias_and_empty_gradients(c_in, c_out):
    feats, taps, bias = tensors_of(3, 2, 1, c_in, c_out)
    fields = fields_of([[(0, 0)], [(1, 0), (2, 1)]])
    inputs = [part.requires_grad_() for part in (feats, taps, bias)]
    out = convolve(*inputs, *fields, 2, False, False)
    assert torch.equal(out, bias.expand(2, c_out))
    grads = torch.autograd.grad(out.sum(), inputs, materialize_grads=True)
    assert [part.shape for part in grads] == [feats.shape, taps.shape, bias.shape]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("c_in", "c_out", "groups"),
    [(1, 1, 1), (7, 3, 1), (8, 16, 1), (20, 20, 1), (4, 6, 3), (1, 1, 9)],
)
def test_low_precision_results_are_off_by_a_rounding(c_in, c_out, groups, dtype):
    x = random_tensor((12, 11), density=0.8)
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    fields = kernel_map.in_index, kernel_map.out_index, kernel_map.tap_ptr
    case = tensors_of(len(x.feats), 9, groups, c_in, c_out, dtype)
    pairs = [
        [(int(into), int(onto)) for into, onto in zip(*kernel_map.tap(tap), strict=True)]
        for tap in range(9)
    ]
    out = convolve(*case, *fields, len(x.feats), True, True)
    expected = looped(*case, pairs, len(x.feats))
    total = convolve_weight(case[0], out, *fields, groups, True, True)
    expected_total = looped_weight(case[0], out, pairs, groups)
    for found, wanted in ((out, expected), (total, expected_total)):
        assert found.dtype == dtype
        allowed = 2 * torch.finfo(dtype).eps * np.abs(wanted).max()
        np.testing.assert_allclose(found.double(), wanted, atol=allowed)


def test_each_path_leaves_the_other_alone(conv_path, monkeypatch):
    def fail(*_):
        raise AssertionError("the other path")

    if conv_path == "native":
        monkeypatch.setattr(pair_conv, "tiled_conv", fail)
        monkeypatch.setattr(pair_conv, "tiled_conv_weight", fail)
    else:
        monkeypatch.setattr(native_conv, "conv", fail)
        monkeypatch.setattr(native_conv, "conv_weight", fail)
    feats, taps, bias = tensors_of(3, 1)
    taps.requires_grad_()
    convolve(feats, taps, bias, *fields_of([[(0, 1)]]), 2, False, True).sum().backward()


def test_expanded_and_transposed_tensors_are_read_right():
    feats, taps, bias = tensors_of(4, 2, c_in=3, c_out=3)
    pairs = [[(0, 1), (3, 2)], [(1, 0)]]
    columns, turned = feats.T.contiguous().T, taps.transpose(2, 3)
    out = convolve(columns, turned, bias[:1].expand(3), *fields_of(pairs), 3, False, True)
    expected = looped(feats, turned, bias[:1].expand(3), pairs, 3)
    np.testing.assert_allclose(out, expected, atol=1e-12)
    grad = torch.ones(1, 1, dtype=torch.float64).expand(3, 3)
    total = convolve_weight(columns, grad, *fields_of(pairs), 1, False, True)
    np.testing.assert_allclose(total, looped_weight(feats, grad, pairs, 1), atol=1e-12)


@pytest.mark.usefixtures("unchecked_types")  # while it traces, torch's numbers are no ints
@pytest.mark.parametrize("symmetric", [True, False])
def test_torch_is_told_what_the_operators_give(symmetric):
    """Schema, gradients, fake tensors and tracing, as `torch.compile` needs them."""
    fields = fields_of([[(0, 1)], [(1, 2), (2, 3)]])
    feats, taps, bias = (
        part.requires_grad_() for part in tensors_of(4, 5 if symmetric else 2, groups=2)
    )
    torch.library.opcheck(convolve, (feats, taps, bias, *fields, 4, symmetric, True))
    grad = torch.ones(4, 6, dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(convolve_weight, (feats, grad, *fields, 2, symmetric, True))


@pytest.mark.usefixtures("unchecked_types")
def test_a_compiled_function_keeps_the_operators_whole():
    fields = fields_of([[(0, 1)], [(1, 2), (2, 3)]])
    inputs = [part.requires_grad_() for part in tensors_of(4, 5)]

    def convolved(feats, taps, bias):
        return convolve(feats * 2, taps, bias, *fields, 4, True, True).square().sum()

    compiled = torch.compile(convolved, backend="aot_eager", fullgraph=True)
    found = torch.autograd.grad(compiled(*inputs), inputs)
    expected = torch.autograd.grad(convolved(*inputs), inputs)
    for ours, eager in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, eager)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("make", [SubmanifoldConv2d, SparseConv2d])
def test_torch_counts_two_operations_a_pair_and_weight(conv_path, make, groups):
    x = random_tensor((9, 8), density=0.5, channels=4, dtype=torch.float32)
    x.feats.requires_grad_()
    layer = make(4, 6, 3, groups=groups, bias=False)
    with FlopCounterMode(display=False) as forward:
        out = layer(x).feats.sum()
    with FlopCounterMode(display=False) as backward:
        out.backward()
    once = 2 * 4 * 6 // groups * pairs_of(x, make)
    assert forward.get_total_flops() == once
    assert backward.get_total_flops() == 2 * once


def pairs_of(x, make):
    dense = torch.zeros(1, *x.spatial_shape)
    dense[tuple(x.coords.T)] = 1
    met = torch.nn.functional.conv2d(dense[:, None], torch.ones(1, 1, 3, 3), padding=1)[:, 0]
    if make is SubmanifoldConv2d:
        met = met * dense
    else:
        met = torch.nn.functional.conv2d(dense[:, None], torch.ones(1, 1, 3, 3))
    return int(met.sum())
