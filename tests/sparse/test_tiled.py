import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode

from recsparse.sparse import tiled
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.tensor import sparse_tensor
from recsparse.sparse.tiled import tiled_conv, tiled_conv_weight
from tests import oracles
from tests.oracles import Window
from tests.random_grids import random_tensor

WINDOW = Window((3, 3), (1, 1), (1, 1), (1, 1))


def taps_of(weight, groups):
    """Return torch's weight as the matrix of each tap and group."""
    by_group = weight.reshape(groups, len(weight) // groups, weight.shape[1], -1)
    return by_group.permute(3, 0, 2, 1)


def weight_of(c_in, c_out, groups, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(c_out, c_in // groups, 3, 3, generator=generator, dtype=dtype)


@pytest.mark.parametrize("rows", [1, 2, 7, 10_000])
@settings(max_examples=10)
@given(
    st.integers(0, 99),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([(2, 3, 1), (4, 2, 2), (3, 3, 3)]),
)
def test_tiles_of_any_size_give_the_dense_convolution(rows, seed, density, channels):
    c_in, c_out, groups = channels
    x = random_tensor((5, 6), 2, c_in, density, seed)
    weight = weight_of(*channels).requires_grad_()
    bias = torch.linspace(-1, 1, c_out, dtype=torch.float64)
    dense = oracles.to_dense(x.coords, x.feats, x.spatial_shape, 2)
    expected = oracles.at_cells(oracles.dense_conv(dense, weight, bias, WINDOW, groups), x.coords)
    grad = torch.arange(expected.numel(), dtype=torch.float64).reshape(expected.shape)
    (expected_grad,) = torch.autograd.grad(expected, weight, grad)
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiled, "_TILE_ROWS", rows)
        found = tiled_conv(x.feats, taps_of(weight.detach(), groups), bias, kernel_map)
        total = tiled_conv_weight(x.feats, grad, kernel_map, groups)
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(total, taps_of(expected_grad, groups))


class Allocations(TorchDispatchMode):
    """Collects the bytes of each piece of memory that an operation makes."""

    def __init__(self):
        super().__init__()
        self.sizes = {}

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        held = self._memory(args)
        for where, tensor in self._memory(result).items():
            if where not in held:
                self.sizes[tensor] = tensor.untyped_storage().nbytes()
        return result

    def _memory(self, tree):
        leaves = tree_flatten(tree)[0]
        tensors = (leaf for leaf in leaves if isinstance(leaf, torch.Tensor))
        return {tensor.untyped_storage().data_ptr(): tensor for tensor in tensors}

    def besides(self, result):
        """Return the size of the largest piece that is not the result's."""
        own = result.untyped_storage().data_ptr()
        return max(
            size
            for tensor, size in self.sizes.items()
            if tensor.untyped_storage().data_ptr() != own
        )


@pytest.mark.parametrize(("c_in", "c_out", "groups"), [(32, 32, 1), (32, 16, 4), (32, 32, 32)])
def test_no_temporary_tensor_is_larger_than_a_tile(monkeypatch, c_in, c_out, groups):
    """Nor than an integer a cell, of which the looks into the map take some."""
    rows = 128
    monkeypatch.setattr(tiled, "_TILE_ROWS", rows)
    x = random_tensor((60, 60), 1, c_in, 0.8)
    weight = weight_of(c_in, c_out, groups)
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    allowed = max(rows * max(c_in, c_out) * 8, len(x.feats) * 8)
    assert kernel_map.num_pairs * c_in * 8 > 100 * allowed
    with Allocations() as forward:
        out = tiled_conv(x.feats, taps_of(weight, groups), None, kernel_map)
    with Allocations() as backward:
        total = tiled_conv_weight(x.feats, out, kernel_map, groups)
    assert forward.besides(out) <= allowed
    assert backward.besides(total) <= allowed


@pytest.mark.parametrize("groups", [1, 2])
def test_forward_and_weight_gradient_multiply_once_a_pair_of_active_cells(groups):
    # A dense grid of this size would not fit any memory.
    places = torch.tensor([0, 1, 2, 2**19, 10**6 - 1])
    coords = torch.stack([torch.zeros_like(places), places, places], dim=1)
    x = sparse_tensor(coords, torch.ones(5, 4), (10**6, 10**6), 1)
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    taps = taps_of(torch.ones(6, 4 // groups, 3, 3), groups)
    pairs = 5 + 2 + 2  # each cell with itself, (0, 0) with (1, 1) and (1, 1) with (2, 2) both ways
    with FlopCounterMode(display=False) as forward:
        out = tiled_conv(x.feats, taps, None, kernel_map)
    with FlopCounterMode(display=False) as backward:
        tiled_conv_weight(x.feats, out, kernel_map, groups)
    assert forward.get_total_flops() == 2 * pairs * 4 * 6 / groups
    assert backward.get_total_flops() == 2 * pairs * 4 * 6 / groups
    assert out[:, 0].tolist() == [4 / groups * pairs for pairs in (2, 3, 2, 1, 1)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_sums_are_kept_in_float32(dtype):
    # One, and 512 times a number that each sum in low precision would lose.
    small = torch.finfo(dtype).eps / 4
    feats = torch.tensor([[1.0], *[[small]] * 512], dtype=dtype)
    pairs = torch.arange(513, dtype=torch.int32)
    onto = torch.zeros_like(pairs)
    kernel_map = KernelMap(pairs, onto, torch.tensor([0, 513]), 513, 1, monotone=False)
    out = tiled_conv(feats, torch.ones(1, 1, 1, 1, dtype=dtype), None, kernel_map)
    assert out.dtype == dtype
    assert out.item() == torch.tensor(1 + 512 * small, dtype=dtype).item() > 1
