"""The compiled kernels give the same bits whatever the number of threads; spconv 2.3.8 does not.

Threads that wait for each other's processor cost more than they do, so other tests run on one.
"""

import torch

from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.strided import SparseConv2d
from recsparse.layers.transposed import SparseInverseConv2d
from recsparse.sparse import native
from recsparse.sparse.grid import Grid
from recsparse.sparse.tensor import SparseTensor
from tests import plain

CELLS = 70_000  # several tiles, chunks of the merge, and threads of a sum in torch


def test_one_thread_and_more_hold_every_check_of_this_file():
    assert plain.failures("tests.sparse.test_threads") == ""


def scattered(dtype, channels):
    generator = torch.Generator().manual_seed(0)
    keys = torch.randperm(200_000, generator=generator)[:CELLS].sort().values
    coords = torch.stack([keys // 100_000, keys // 250 % 400, keys % 250], dim=1)
    feats = torch.randn(CELLS, channels, generator=generator).to(dtype)
    return SparseTensor(Grid(coords, (400, 250), 2), feats)


def results(layers, x, num_threads):
    """Return maps, features and all gradients, computed with so many threads."""
    torch.set_num_threads(num_threads)
    x = SparseTensor(Grid(x.coords, x.spatial_shape, x.batch_size), x.feats.clone())
    x.feats.requires_grad_()
    parameters = [part for layer in layers for part in layer.parameters()]
    first, *rest = layers
    out = first(x)
    for layer in rest:
        out = layer(out, x)
    into = torch.linspace(-1, 2, out.feats.numel()).reshape(out.feats.shape)
    into = (99 * into).sin().to(out.feats.dtype)
    maps = [
        x.grid.submanifold_map((3, 3), (1, 1)).in_index,
        x.grid.conv_grid(layers[0].kernel).coords,
    ]
    return [*maps, out.feats, *torch.autograd.grad(out.feats, [x.feats, *parameters], into)]


def assert_same_bits(layers, x):
    one, *others = (results(layers, x, number) for number in (1, 2, 3))
    for other in others:
        assert len(one) == len(other)
        for ours, theirs in zip(one, other, strict=True):
            assert torch.equal(ours, theirs)


def check_that_submanifold_convolutions_are_the_same_bit_for_bit():
    cases = (
        (torch.float32, 3, 1),
        (torch.float32, 7, 20),
        (torch.float32, 64, 64),  # sums so large that the jobs of a weight gradient share taps
        (torch.bfloat16, 32, 16),
    )
    for dtype, c_in, c_out in cases:
        x = scattered(dtype, c_in)
        if native.can_run(x.feats, c_in, c_out):
            assert_same_bits([SubmanifoldConv2d(c_in, c_out, 3).to(dtype)], x)


def check_that_groups_and_doubles_are_too():
    if native.can_run(torch.zeros(1, 1), 1, 1):
        x = scattered(torch.float64, 6)
        assert_same_bits([SubmanifoldConv2d(6, 9, (3, 5), groups=3).double()], x)


def check_that_strided_and_inverse_convolutions_are_too():
    if native.can_run(torch.zeros(1, 1), 1, 1):
        window = {"kernel_size": 3, "stride": 2, "padding": 1}
        down, up = SparseConv2d(5, 8, **window), SparseInverseConv2d(8, 3, **window)
        assert_same_bits([down, up], scattered(torch.float32, 5))
