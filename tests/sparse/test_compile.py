"""Networks of sparse layers under torch.compile: one graph, few compilations, the same numbers."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from recsparse.layers.norm import SparseBatchNorm
from recsparse.layers.strided import SparseConv2d
from recsparse.sparse.grid import Grid
from recsparse.sparse.kernel import Kernel
from recsparse.sparse.tensor import SparseTensor
from tests import layer_zoo, plain
from tests.layer_zoo import ZOO, make
from tests.networks import Network
from tests.random_grids import random_tensor

SHAPE = (12, 9)
# Its rows are sorted by the length of what is in them; a torch.Generator is no part of graphs.
BROKEN = {"RidgePool", "CellDropout"}
# Made of the other layers, and slow to trace.
NETWORKS = {"SparseUNet", "SparseResNet", "SparseVGG", "SparseBasicBlock", "SparseBottleneck"}


def test_compiled_networks_hold_every_check_of_this_file():
    assert plain.failures("tests.sparse.test_compile") == ""


def compiled(function, backend="eager"):
    """Return the function as one graph, and the counter of its compilations.

    The backend `eager` sees through Python alone and is fast; `aot_eager` derives the backward
    graph too, all that there is but the generation of code.
    """
    torch._dynamo.reset()
    counter = CompileCounterWithBackend(backend)
    return torch.compile(function, fullgraph=True, backend=counter), counter


def some_cells(density, seed=0):
    return random_tensor(SHAPE, 2, 2, density, seed, torch.float32)


def result_and_gradients(network, x):
    feats = x.feats.clone().requires_grad_()
    out = network(x.with_feats(feats))
    grads = torch.autograd.grad(out.feats.square().sum(), [feats, *network.parameters()])
    return [out.coords, out.feats, *grads, *(buffer.clone() for buffer in network.buffers())]


def fresh(x):
    """Return the same tensor on a grid that remembers nothing."""
    return SparseTensor(Grid(x.coords, x.spatial_shape, x.batch_size), x.feats)


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def check_that_any_number_of_cells_gives_the_same_numbers_after_four_compilations():
    # Two numbers of cells (the second one makes them dynamic), with maps to build and to reuse.
    network = Network()
    twin = copy.deepcopy(network)
    graph, counter = compiled(network, "aot_eager")
    # Parameters and buffers are those of the network that was compiled.
    graph.parameters, graph.buffers = network.parameters, network.buffers
    for seed, density in enumerate((0.4, 0.5, 0.3, 1.0)):
        x = some_cells(density, seed)
        for _ in range(2):
            assert_equal(result_and_gradients(graph, x), result_and_gradients(twin, fresh(x)))
    assert counter.frame_count <= 4


def check_that_evaluation_takes_any_number_of_cells_none_included():
    network = Network().eval()
    graph, counter = compiled(network)
    for density in (0.4, 0.5, 0.0, 0.02, 1.0):
        x = some_cells(density)
        torch.testing.assert_close(graph(fresh(x)).feats, network(x).feats)
    assert counter.frame_count <= 4  # no cell and one cell are sizes of their own to torch


def check_that_the_grid_may_be_made_inside():
    network = Network()

    def call(coords, feats):
        out = network(SparseTensor(Grid(coords, SHAPE, 2), feats))
        return out.coords, out.feats

    graph, counter = compiled(call)
    for density in (0.4, 0.5, 0.3):
        x = some_cells(density)
        assert_equal(graph(x.coords, x.feats), call(x.coords, x.feats))
    assert counter.frame_count == 2


def check_that_maps_built_inside_are_remembered_on_the_grid_outside():
    network = Network()
    x = some_cells(0.5)
    out = compiled(network)[0](x)
    inside = x.grid.submanifold_map((3, 3), (1, 1))
    coarse = x.grid.conv_grid(network.down.kernel)
    down = x.grid.map_onto(coarse, network.down.kernel)
    assert x.grid._kernel_maps
    assert x.grid._made
    again = network(x)
    assert again.grid is out.grid
    assert x.grid.submanifold_map((3, 3), (1, 1)) is inside
    assert x.grid.map_onto(x.grid.conv_grid(network.down.kernel), network.down.kernel) is down
    y = fresh(x)
    expected = y.grid.map_onto(y.grid.conv_grid(network.down.kernel), network.down.kernel)
    assert_equal(
        [down.in_index, down.out_index, down.tap_ptr],
        [expected.in_index, expected.out_index, expected.tap_ptr],
    )


def check_that_every_layer_is_one_graph():
    for name in ZOO.keys() - BROKEN - NETWORKS:
        layer = make(name)
        graph, _ = compiled(layer)
        graph.parameters = layer.parameters
        assert_equal(result_and_gradients_of(graph), result_and_gradients_of(make(name)))


def result_and_gradients_of(layer):
    return layer_zoo.result_and_gradients(layer, layer_zoo.batch())


def check_that_given_cells_work_though_their_map_is_not_remembered():
    layer, x = SparseConv2d(2, 3, 3, padding=1), some_cells(0.4)
    cells = some_cells(0.5, seed=1).grid
    graph, _ = compiled(lambda x, cells: layer(x, cells))
    out = graph(x, cells)
    assert out.grid is cells
    assert_equal([out.feats], [layer(x, cells).feats])


def check_that_a_kernel_may_be_made_inside():
    graph, _ = compiled(lambda x: x.grid.conv_grid(Kernel.of(2, 3, 2, 1)).coords)
    x = some_cells(0.5)
    assert_equal([graph(fresh(x))], [x.grid.conv_grid(Kernel.of(2, 3, 2, 1)).coords])


def check_that_a_batch_norm_says_that_it_saw_too_few_cells():
    norm = SparseBatchNorm(2)

    def keep(x, mask):
        return norm(x.select(mask)).feats

    graph, _ = compiled(keep)
    x = some_cells(0.5)
    everything = x.feats[:, 0] < 99
    assert_equal([graph(x, everything)], [keep(x, everything)])
    before = norm.running_var.clone()
    with pytest.raises(RuntimeError, match="needs at least 2 cells"):
        graph(x, ~everything)
    assert torch.equal(norm.running_var, before)
