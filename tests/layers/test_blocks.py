import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.activation import SparseGELU, SparseReLU
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.dropout import CellDropout
from recsparse.layers.residual import ResidualBlock
from recsparse.layers.sequential import SparseSequential
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors


def cells_of(x):
    return {tuple(cell): row for cell, row in zip(x.coords.tolist(), x.feats.tolist(), strict=True)}


@given(sparse_tensors(2))
def test_activations_change_the_features_and_keep_the_grid(make):
    x = make()
    rectified, smooth = SparseReLU()(x), SparseGELU()(x)
    assert rectified.grid is smooth.grid is x.grid
    assert rectified.feats.tolist() == [[max(v, 0.0) for v in row] for row in x.feats.tolist()]
    # x times the probability that a normal number is below x
    expected = x.feats * torch.distributions.Normal(0.0, 1.0).cdf(x.feats)
    torch.testing.assert_close(smooth.feats, expected)


@given(sparse_tensors(2, channels=2), st.floats(0, 0.9))
def test_kept_and_dropped_cells_are_the_cells_and_have_none_in_common(make, p):
    x = make()
    kept, dropped = CellDropout(p, torch.Generator().manual_seed(0)).split(x)
    assert cells_of(kept) | cells_of(dropped) == cells_of(x)
    assert len(kept.feats) + len(dropped.feats) == len(x.feats)
    for part in (kept, dropped):
        assert (part.spatial_shape, part.batch_size) == (x.spatial_shape, x.batch_size)
        assert (part.grid.keys.diff() > 0).all()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_dropped_cells_is_p(p):
    x = random_tensor((100, 100), density=1.0)
    kept = CellDropout(p, torch.Generator().manual_seed(0))(x)
    deviation = (p * (1 - p) / 10_000) ** 0.5
    assert 1 - len(kept.feats) / 10_000 == pytest.approx(p, abs=4 * deviation)


def test_each_cell_is_drawn_by_itself_and_anew_at_each_call():
    x = random_tensor((50, 50), density=1.0)
    dropout = CellDropout(0.5, torch.Generator().manual_seed(0))
    first, second = (cells_of(dropout(x)).keys() for _ in range(2))
    # Independent halves: a quarter of the cells is in both.
    assert len(first & second) / 2500 == pytest.approx(0.5 * 0.5, abs=4 * (3 / 16 / 2500) ** 0.5)


def test_one_seed_drops_the_same_cells():
    x = random_tensor((9, 9))
    same, again, other = (
        CellDropout(0.5, torch.Generator().manual_seed(seed))(x) for seed in (1, 1, 2)
    )
    assert cells_of(same) == cells_of(again)
    assert cells_of(same) != cells_of(other)


def test_without_a_generator_torchs_own_seed_counts():
    x = random_tensor((9, 9))
    torch.manual_seed(3)
    first = CellDropout()(x)
    torch.manual_seed(3)
    assert cells_of(CellDropout()(x)) == cells_of(first)


def test_evaluation_and_a_share_of_zero_drop_nothing():
    x = random_tensor((9, 9))
    assert CellDropout(0.5).eval()(x) is x
    assert CellDropout(0.0)(x) is x


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_generator_of_another_device_serves_the_cells():
    x = random_tensor((9, 9))
    here, there = (
        CellDropout(0.5, torch.Generator().manual_seed(0))(part) for part in (x, x.to("cuda"))
    )
    assert cells_of(there) == cells_of(here)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_refused(p):
    with pytest.raises(InputError, match=f"p must be at least 0 and below 1, but got {p}"):
        CellDropout(p)


def test_layers_in_sequence_are_applied_in_order():
    x = random_tensor((4, 4), channels=2)
    conv, relu = SubmanifoldConv2d(2, 3, 3).double(), SparseReLU()
    assert torch.equal(SparseSequential(conv, relu)(x).feats, relu(conv(x)).feats)
    assert not torch.equal(SparseSequential(relu, conv)(x).feats, relu(conv(x)).feats)
    assert SparseSequential()(x) is x


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
