"""What torch asks of operators: schema, shapes without data, compilation, transforms, autograd."""

import pytest
import torch
from torch.autograd.forward_ad import dual_level, make_dual
from torch.library import opcheck

from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.generate import conv_cells, conv_transpose_cells
from recsparse.sparse.kernel import Kernel
from recsparse.sparse.pair_conv import pair_conv, pair_conv_weight
from recsparse.sparse.pair_max import pair_max
from recsparse.sparse.pairs import cell_pairs
from tests.random_grids import random_tensor

# torch's own rules of forward mode are scripted when they are first loaded.
# Sizes that stand for any number are no integers to the check of types.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),
    pytest.mark.usefixtures("unchecked_types"),
]

WINDOW = Kernel.of(2, 3, 2, 1).as_lists()


def random(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


def ends(kernel_map):
    return kernel_map.in_index, kernel_map.out_index, kernel_map.tap_ptr


def kinds(kernel_map):
    return kernel_map.symmetric, kernel_map.monotone


@pytest.fixture(params=["full", "empty"])
def x(request):
    density = {"full": 0.6, "empty": 0.0}[request.param]
    return random_tensor((5, 4), batch_size=2, channels=4, density=density)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_the_convolution_is_a_well_behaved_operator(x, grad, with_bias):
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    parts = [x.feats, random(9, 2, 2, 3), random(6) if with_bias else None]
    parts = [part if part is None else part.clone().requires_grad_(grad) for part in parts]
    opcheck(pair_conv, (*parts, *ends(kernel_map), kernel_map.num_out, *kinds(kernel_map)))


@pytest.mark.parametrize("grad", [False, True])
def test_the_gradient_of_the_weight_is_a_well_behaved_operator(x, grad):
    kernel_map = x.grid.map_onto(x.grid.conv_grid(Kernel.of(2, 2)), Kernel.of(2, 2))
    parts = [x.feats.clone(), random(kernel_map.num_out, 6)]
    parts = [part.requires_grad_(grad) for part in parts]
    opcheck(pair_conv_weight, (*parts, *ends(kernel_map), 2, *kinds(kernel_map)))


def test_what_makes_cells_maps_and_maxima_are_well_behaved_operators(x):
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    opcheck(pair_max, (x.feats, *ends(kernel_map), kernel_map.num_out, *kinds(kernel_map)))
    opcheck(cell_pairs, (x.coords, x.coords, [5, 4], *Kernel.of(2, 3, 1, 1).as_lists(), 4))
    opcheck(conv_cells, (x.coords, [5, 4], *WINDOW))
    opcheck(conv_transpose_cells, (x.coords, [9, 7], *WINDOW))


@pytest.fixture
def convolve():
    """A convolution of the features of a fixed grid, and such features."""
    x = random_tensor((3, 3), channels=2)
    weight, kernel_map = random(3, 2, 3, 3), x.grid.submanifold_map((3, 3), (1, 1))
    return lambda feats: sparse_conv(feats, weight, None, kernel_map), x.feats


def test_vmap_convolves_each_part_of_a_stack(convolve):
    function, feats = convolve
    stack = torch.stack([feats, 2 * feats, feats - 1])
    expected = torch.stack([function(part) for part in stack])
    torch.testing.assert_close(torch.vmap(function)(stack), expected)


def test_derivatives_of_the_functional_kind_equal_those_of_a_linear_map(convolve):
    function, feats = convolve
    tangent = random(*feats.shape)
    _, found = torch.autograd.functional.jvp(function, feats, tangent)
    torch.testing.assert_close(found, function(tangent))
    # The Hessian of |A f|^2 / 2 in direction t is A^T A t.
    _, found = torch.autograd.functional.hvp(
        lambda feats: function(feats).square().sum() / 2, feats, tangent
    )
    _, expected = torch.autograd.functional.vjp(function, feats, function(tangent))
    torch.testing.assert_close(found, expected)


def test_forward_mode_is_refused_where_torch_would_drop_the_derivative(convolve):
    function, feats = convolve
    with (
        dual_level(),
        pytest.raises(NotImplementedError, match=r"in reverse mode.*functional\.jvp"),
    ):
        function(make_dual(feats, feats))
