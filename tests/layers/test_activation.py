import torch
from hypothesis import given

from recsparse.layers.activation import SparseGELU, SparseReLU
from tests.random_grids import sparse_tensors


@given(sparse_tensors(2))
def test_activations_change_the_features_and_keep_the_grid(make):
    x = make()
    rectified, smooth = SparseReLU()(x), SparseGELU()(x)
    assert rectified.grid is smooth.grid is x.grid
    assert rectified.feats.tolist() == [[max(v, 0.0) for v in row] for row in x.feats.tolist()]
    # x times the probability that a normal number is below x
    expected = x.feats * torch.distributions.Normal(0.0, 1.0).cdf(x.feats)
    torch.testing.assert_close(smooth.feats, expected)
