import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.sparse.gram import segment_gram

lengths_of_segments = st.lists(st.integers(0, 9), max_size=6)


def random_segments(lengths, channels, seed):
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(sum(lengths), channels, generator=generator, dtype=torch.float64)
    weights = torch.randn(sum(lengths), generator=generator, dtype=torch.float64)
    return feats, weights, torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int64)


@given(lengths_of_segments, st.integers(0, 3), st.integers(0, 99))
def test_each_matrix_is_the_weighted_sum_of_outer_products(lengths, channels, seed):
    feats, weights, ptr = random_segments(lengths, channels, seed)
    grams = segment_gram(feats, weights, ptr)
    assert grams.shape == (len(lengths), channels, channels)
    for segment, (start, end) in enumerate(itertools.pairwise(ptr)):
        rows, weight = feats[start:end].numpy(), weights[start:end].numpy()
        np.testing.assert_allclose(grams[segment], rows.T @ np.diag(weight) @ rows, atol=1e-12)


def test_a_segment_of_nan_does_not_touch_its_neighbours():
    feats = torch.tensor([[1.0], [torch.nan], [2.0], [3.0]])
    grams = segment_gram(feats, torch.ones(4), torch.tensor([0, 1, 2, 4])).flatten()
    assert grams[0].item() == 1.0**2
    assert grams[1].isnan()
    assert grams[2].item() == 2.0**2 + 3.0**2


@pytest.mark.parametrize("lengths", [[0], [1], [3, 0, 4, 1, 2]])
def test_the_gradient_of_features_and_weights_equals_finite_differences(lengths):
    feats, weights, ptr = random_segments(lengths, 2, 0)
    inputs = (feats.requires_grad_(), weights.requires_grad_())
    assert torch.autograd.gradcheck(lambda f, w: segment_gram(f, w, ptr), inputs)
