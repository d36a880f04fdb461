import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from recsparse.errors import InputError
from recsparse.layers.activation import SparseGELU, SparseReLU
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.dropout import CellDropout
from recsparse.layers.residual import ResidualBlock, SparseBasicBlock, SparseBottleneck
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors

CONVS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
BLOCKS = [SparseBasicBlock, SparseBottleneck]


def ready(block):
    """Return the block in evaluation, its normalisations set to random statistics."""
    for name, buffer in block.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 2.0)
    return block.double().eval()


def dense_block(block, dense, active):
    """Return what the block makes of a dense tensor, zeroed wherever no output cell is."""
    convolve = CONVS[dense.ndim - 2]
    reached = convolve(active, active.new_ones(1, 1, *[3] * (dense.ndim - 2)), None, 2, 1) > 0
    out_active = active if block.stride == 1 else reached.to(active.dtype)

    def normed(layer, x):
        return functional.batch_norm(
            x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps
        )

    out, seen = dense, active
    convs = [layer for layer in block.layers if hasattr(layer, "kernel_size")]
    norms = [layer for layer in block.layers if hasattr(layer, "running_mean")]
    for number, (conv, norm) in enumerate(zip(convs, norms, strict=True)):
        stride, padding = conv.stride[0], conv.kernel_size[0] // 2
        seen = out_active if stride == 2 else seen
        out = normed(norm, convolve(out, conv.weight, None, stride, padding)) * seen
        out = out if number == len(convs) - 1 else functional.relu(out)
    if block.shortcut is not None:
        dense = convolve(dense, block.shortcut.weight, None, block.stride)
        dense = normed(block.shortcut_norm, dense)
    return functional.relu(out + dense) * out_active


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("num_axes", [1, 2, 3])
@given(data=st.data())
def test_a_block_equals_masked_dense_convolutions(kind, num_axes, data):
    stride, width = data.draw(st.sampled_from([1, 2])), data.draw(st.sampled_from([1, 2]))
    x = data.draw(sparse_tensors(num_axes, 4, min_size=1, max_size=4, batch_size=2))()
    torch.manual_seed(0)
    block = ready(kind(num_axes, 4, width, stride))
    active = x.with_feats(torch.ones_like(x.feats[:, :1])).to_dense()
    out = block(x)
    assert out.num_channels == block.out_channels == width * kind.expansion
    torch.testing.assert_close(out.to_dense(), dense_block(block, x.to_dense(), active))


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_that_changes_nothing_keeps_its_input_beside_the_layers(kind):
    x = random_tensor((5, 5), channels=4)
    block = ready(kind(2, 4, 4 // kind.expansion))
    assert block.shortcut is None
    torch.nn.init.zeros_(block.layers[-1].weight)
    torch.nn.init.zeros_(block.layers[-1].bias)
    block.layers[-1].running_mean.zero_()
    out = block(x)
    assert out.grid is x.grid
    assert torch.equal(out.feats, x.feats.relu())


@pytest.mark.parametrize("num_axes", [0, 5])
def test_a_number_of_axes_without_layers_is_refused(num_axes):
    with pytest.raises(InputError, match=f"num_axes must be from 1 to 4, but got {num_axes}"):
        SparseBasicBlock(num_axes, 1, 1)


def test_a_width_that_is_not_positive_is_refused():
    with pytest.raises(InputError, match="must be positive multiples of groups, but got 1, 0"):
        SparseBasicBlock(2, 1, 0)


def test_a_residual_block_adds_what_its_layers_make_of_the_input():
    x = random_tensor((4, 4), channels=2)
    conv, relu = SubmanifoldConv2d(2, 2, 3).double(), SparseReLU()
    out = ResidualBlock(conv, relu)(x)
    torch.testing.assert_close(out.feats, x.feats + relu(conv(x)).feats)
    assert out.grid is x.grid


def test_a_residual_block_passes_the_gradient_of_its_input_by_the_layers():
    x = random_tensor((3, 3), channels=2)
    block = ResidualBlock(SubmanifoldConv2d(2, 2, 3).double(), SparseGELU())
    inputs = (x.feats.clone().requires_grad_(), *block.parameters())
    assert torch.autograd.gradcheck(lambda f, *_: block(x.with_feats(f)).feats, inputs)


class Exchanged(nn.Module):
    """Exchanges rows and columns, and so keeps the number of cells but not the grid."""

    def forward(self, x):
        coords = x.coords[:, [0, 2, 1]]
        return sparse_tensor(coords, x.feats, x.spatial_shape, x.batch_size)


@pytest.mark.parametrize(
    "layer", [SubmanifoldConv2d(2, 3, 3).double(), CellDropout(0.5), Exchanged()]
)
def test_layers_that_change_grid_or_channels_make_no_residual_block(layer):
    with pytest.raises(InputError, match=r"must keep grid and channels, but turned SparseTensor\("):
        ResidualBlock(layer)(random_tensor((5, 5), channels=2))
