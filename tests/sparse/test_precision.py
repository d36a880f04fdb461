"""Every layer in low precision, under autocast and of itself, forward and backward."""

import re

import pytest
import torch

from recsparse import layers
from tests.layer_zoo import ELSEWHERE, ZOO, batch, make, result_and_gradients

# A few roundings of 8 or 11 bits one after the other.
TOLERANCE = {torch.bfloat16: 0.03, torch.float16: 0.004}
# What divides by differences of the features, which rounding changes more than themselves.
LOOSE = {"SparseLayerNorm": 4, "RidgePool": 4}
NETWORKS = {"SparseUNet", "SparseResNet", "SparseVGG"}


def distance(coarse, exact):
    """Return how far two tensors are apart, relative to the length of the exact one."""
    assert coarse.shape == exact.shape
    return ((coarse.float() - exact).norm() / exact.norm().clamp(min=1e-3)).item()


def assert_near(name, found, expected, dtype):
    assert len(found) == len(expected) > 1
    distances = [distance(*pair) for pair in zip(found, expected, strict=True)]
    if name in NETWORKS:
        # Where an activation is nearly zero, rounding decides whether a gradient passes.
        assert all(part.isfinite().all() for part in found)
        distances = distances[:1]
    assert max(distances) <= LOOSE.get(name, 1) * TOLERANCE[dtype], distances


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ZOO)
def test_under_autocast_every_layer_is_near_float32(name, dtype):
    x = batch()
    expected = result_and_gradients(make(name), x)
    with torch.autocast("cpu", dtype):
        found = result_and_gradients(make(name), x)
    assert_near(name, found, expected, dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ZOO)
def test_every_layer_converted_to_low_precision_is_near_float32(name, dtype):
    x = batch()
    expected = result_and_gradients(make(name), x)
    found = result_and_gradients(make(name).to(dtype), x.to(dtype))
    assert found[0].dtype == dtype
    assert_near(name, found, expected, dtype)


def test_every_layer_is_looked_at():
    # Those of other numbers of axes are the same code.
    of_two_axes = {name for name in layers.__all__ if not re.search("[134]d$", name)}
    looked_at = {name.split(" ")[0] for name in ZOO} | ELSEWHERE
    assert of_two_axes | {"CausalConv1d"} == looked_at
