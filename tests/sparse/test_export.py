"""Networks of sparse layers through torch.export: one program for any number of cells."""

import io

import pytest
import torch
from torch import nn

from recsparse.sparse.grid import Grid
from recsparse.sparse.tensor import SparseTensor
from tests import plain
from tests.networks import Network
from tests.random_grids import random_tensor

SHAPE = (12, 9)


def test_exported_networks_hold_every_check_of_this_file():
    assert plain.failures("tests.sparse.test_export") == ""


class OfTensors(nn.Module):
    """A network between plain tensors, as exported programs take and give them."""

    def __init__(self):
        super().__init__()
        self.network = Network()

    def forward(self, coords, feats):
        out = self.network(SparseTensor(Grid(coords, SHAPE, 2), feats))
        return out.coords, out.feats


def arguments(density, seed=0):
    x = random_tensor(SHAPE, 2, 2, density, seed, torch.float32)
    return x.coords, x.feats


def exported(model, strict=False):
    """Export with any number of cells, save, and load again."""
    cells = torch.export.Dim("cells")
    program = torch.export.export(
        model, arguments(0.4), dynamic_shapes=({0: cells}, {0: cells}), strict=strict
    )
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file)


def check_that_a_loaded_program_gives_the_numbers_of_the_network_on_other_grids():
    model = OfTensors().eval()
    # Running statistics that are not those of the start.
    nn.init.uniform_(model.network.first_norm.running_mean)
    for strict in (False, True):
        program = exported(model, strict).module()
        for seed, density in enumerate((0.0, 0.02, 0.3, 1.0), start=1):
            coords, feats = arguments(density, seed)
            expected = model(coords, feats)
            found = program(coords, feats)
            assert torch.equal(found[0], expected[0])
            torch.testing.assert_close(found[1], expected[1])


def check_that_a_program_exported_in_training_trains_as_the_network_does():
    model = OfTensors()
    program = exported(model).module()
    coords, feats = arguments(0.3, seed=1)
    out = program(coords, feats)[1]
    out.square().sum().backward()
    expected = model(coords, feats)[1]
    torch.testing.assert_close(out, expected)
    expected.square().sum().backward()
    gradients = {name: part.grad for name, part in program.named_parameters()}
    assert gradients.keys() == dict(model.named_parameters()).keys()
    for name, part in model.named_parameters():
        torch.testing.assert_close(gradients[name], part.grad)
    with pytest.raises(RuntimeError, match=">= 2"):
        program(*arguments(0.0))


def check_that_each_convolution_is_one_operator_of_the_program():
    program = exported(OfTensors().eval())
    called = [node.target for node in program.graph.nodes if node.op == "call_function"]
    operators = torch.ops.recsparse
    assert called.count(operators.pair_conv.default) == 5
    assert called.count(operators.conv_cells.default) == 1
    assert called.count(operators.conv_transpose_cells.default) == 1
    # Two submanifold maps, one for the strided and the inverse layer, and one back.
    assert called.count(operators.cell_pairs.default) == 4
