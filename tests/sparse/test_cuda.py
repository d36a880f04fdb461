"""The same code on a GPU: maps, convolutions, pooling and every layer against the CPU."""

import pytest
import torch

from recsparse.sparse.kernel import Kernel
from recsparse.sparse.tensor import sparse_tensor
from tests.layer_zoo import ZOO, batch, make, result_and_gradients
from tests.random_grids import random_tensor

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

KERNELS = {
    "halving": Kernel.of(2, 3, stride=2, padding=1),
    "even": Kernel.of(2, (2, 4), dilation=(1, 2)),
}
FEW_TERMS = {"rtol": 2e-5, "atol": 2e-5}


def assert_same_map(there, here):
    assert there.in_index.is_cuda
    assert there.tap_ptr.device.type == "cpu"
    for name in ("in_index", "out_index", "tap_ptr"):
        assert torch.equal(getattr(there, name).cpu(), getattr(here, name))


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_cells_are_sorted_and_maps_built_as_on_the_cpu(density):
    x = random_tensor((9, 7), 2, 1, density)
    shuffled = torch.randperm(len(x.feats), generator=torch.Generator().manual_seed(0))
    y = sparse_tensor(x.coords[shuffled].cuda(), x.feats[shuffled].cuda(), (9, 7), 2)
    assert torch.equal(y.coords.cpu(), x.coords)
    assert torch.equal(y.feats.cpu(), x.feats)
    maps = (part.grid.submanifold_map((3, 5), (2, 1)) for part in (y, x))
    assert_same_map(*maps)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_cells_are_generated_and_joined_as_on_the_cpu(kernel):
    x = random_tensor((9, 7), 2, 1, 0.3)
    here, there = x.grid, x.grid.to("cuda")
    outputs = [grid.conv_grid(kernel) for grid in (there, here)]
    assert torch.equal(outputs[0].coords.cpu(), outputs[1].coords)
    assert_same_map(there.map_onto(outputs[0], kernel), here.map_onto(outputs[1], kernel))
    spread = [grid.conv_transpose_grid(kernel, (0, 0)).coords.cpu() for grid in (there, here)]
    assert torch.equal(*spread)


@pytest.mark.parametrize("name", ZOO)
def test_every_layer_computes_what_it_computes_on_the_cpu(name):
    x = batch()
    expected = result_and_gradients(make(name), x)
    found = result_and_gradients(make(name).cuda(), x.to("cuda"))
    assert len(found) == len(expected)
    for there, here in zip(found, expected, strict=True):
        assert there.is_cuda
        torch.testing.assert_close(there.cpu(), here, **FEW_TERMS)


@pytest.mark.parametrize("name", ["SubmanifoldConv2d", "SparseInverseConv2d", "SparseMaxPool2d"])
def test_two_runs_give_the_same_bits(name):
    x, layer = batch().to("cuda"), make(name).cuda()
    for first, second in zip(
        result_and_gradients(layer, x), result_and_gradients(layer, x), strict=True
    ):
        assert torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_reaches_the_convolutions(dtype):
    x, layer = batch(), make("SubmanifoldConv2d")
    expected = layer(x).feats
    with torch.autocast("cuda", dtype):
        found = layer.cuda()(x.to("cuda")).feats
    assert found.dtype == dtype
    torch.testing.assert_close(found.float().cpu(), expected, rtol=0.02, atol=0.02)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_a_forward_step_with_known_maps_waits_for_nothing():
    x, layer = batch().to("cuda"), make("SparseInverseConv2d").cuda()
    layer(x)
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        layer(x).feats.sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode(before)
