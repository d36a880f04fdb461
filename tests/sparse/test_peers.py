"""Other engines: the same results as spconv, and none of the defects found in peers on a CPU.

That spconv 2.3.8 with two threads, its layers and those of torchsparse 1.4 and SparseConvNet under
torch.compile fail too is tested of ours in test_threads.py and test_compile.py.
"""

import importlib
import warnings

import pytest
import torch
from torch.nn import functional

from recsparse import layers
from recsparse.sparse.concatenate import cat
from recsparse.sparse.coords import ravel_coords
from recsparse.sparse.grid import Grid
from recsparse.sparse.sets import grid_of
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from tests.random_grids import random_tensor

pytestmark = pytest.mark.usefixtures("conv_path")

SHAPES = {1: (23,), 2: (9, 7), 3: (6, 5, 4)}
WINDOW = {"kernel_size": 3, "stride": 2, "padding": 1}


@pytest.fixture
def spconv(monkeypatch):
    """spconv with the patch that its backward needs on a CPU: it asks for a CUDA stream."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = importlib.import_module("spconv.pytorch")
        except ImportError as error:
            pytest.skip(f"no spconv: {error}; pip install spconv==2.3.8")
        operations = importlib.import_module("spconv.pytorch.ops")
    monkeypatch.setattr(operations, "get_current_stream", lambda: 0)
    return module


def layer_of(module, prefix, num_axes):
    return getattr(module, f"{prefix}{num_axes}d")


def copy_weights(theirs, ours):
    """Give our layer the weights of theirs, as docs/tutorial/layers.md has it."""
    weight = theirs.weight.detach()
    c_in, c_out = ours.in_channels, ours.out_channels
    if ours.kernel.num_taps == 1 and set(ours.stride) == {1}:
        weight = weight.reshape(c_in, c_out)
        weight = (weight if ours.transposed else weight.T).reshape(ours.weight.shape)
    else:
        weight = weight.movedim(-1, 0 if ours.transposed else 1)
    ours.weight.data = weight.contiguous()
    ours.bias.data = theirs.bias.detach().clone()


def sorted_rows(theirs, x):
    """Return features of theirs in the order of our cells."""
    key = ravel_coords(theirs.indices, x.spatial_shape)
    order = key.argsort()
    assert torch.equal(key[order], x.grid.keys)
    return theirs.features[order]


@pytest.mark.parametrize("num_axes", [1, 2, 3])
def test_submanifold_convolutions_equal_those_of_spconv_with_all_gradients(spconv, num_axes):
    x = random_tensor(SHAPES[num_axes], 2, 3, 0.4, dtype=torch.float32)
    theirs = layer_of(spconv, "SubMConv", num_axes)(3, 4, 3, algo=spconv.ConvAlgo.Native)
    ours = layer_of(layers, "SubmanifoldConv", num_axes)(3, 4, 3)
    copy_weights(theirs, ours)
    feats = [x.feats.clone().requires_grad_() for _ in range(2)]
    out = ours(x.with_feats(feats[0])).feats
    expected = theirs(
        spconv.SparseConvTensor(feats[1], x.coords.int(), list(x.spatial_shape), x.batch_size)
    )
    torch.testing.assert_close(out, sorted_rows(expected, x))
    out.square().sum().backward()
    expected.features.square().sum().backward()
    torch.testing.assert_close(feats[0].grad, feats[1].grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad.movedim(-1, 1))
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)


@pytest.mark.parametrize("num_axes", [2, 3])
def test_strided_and_inverse_convolutions_equal_those_of_spconv(spconv, num_axes):
    x = random_tensor(SHAPES[num_axes], 2, 3, 0.4, dtype=torch.float32)
    native = spconv.ConvAlgo.Native
    down = layer_of(spconv, "SparseConv", num_axes)(3, 4, **WINDOW, indice_key="k", algo=native)
    up = layer_of(spconv, "SparseInverseConv", num_axes)(4, 2, 3, indice_key="k", algo=native)
    our_down = layer_of(layers, "SparseConv", num_axes)(3, 4, **WINDOW)
    our_up = layer_of(layers, "SparseInverseConv", num_axes)(4, 2, **WINDOW)
    copy_weights(down, our_down)
    copy_weights(up, our_up)
    theirs = spconv.SparseConvTensor(x.feats, x.coords.int(), list(x.spatial_shape), x.batch_size)
    coarse, our_coarse = down(theirs), our_down(x)
    torch.testing.assert_close(our_coarse.feats, sorted_rows(coarse, our_coarse))
    torch.testing.assert_close(our_up(our_coarse, x).feats, sorted_rows(up(coarse), x))


SETTINGS = {"one tap": (1, 1, 0), "one tap, strided": (1, 2, 0), "three taps": (3, 2, 1)}


@pytest.mark.parametrize("out_channels", [3, 4], ids=["as many channels", "other channels"])
@pytest.mark.parametrize("window", SETTINGS)
@pytest.mark.parametrize("kind", ["SubMConv", "SparseConv", "SparseConvTranspose"])
def test_weights_of_every_layer_of_spconv_are_converted_as_the_guide_says(
    spconv, kind, window, out_channels
):
    size, stride, padding = SETTINGS[window]
    x = random_tensor(SHAPES[3], 2, 3, 0.4, dtype=torch.float32)
    theirs = layer_of(spconv, kind, 3)
    if kind == "SubMConv":
        theirs = theirs(3, out_channels, size, algo=spconv.ConvAlgo.Native)
        ours = layers.SubmanifoldConv3d(3, out_channels, size)
    else:
        theirs = theirs(3, out_channels, size, stride, padding, algo=spconv.ConvAlgo.Native)
        ours = layer_of(layers, kind, 3)(3, out_channels, size, stride, padding)
    copy_weights(theirs, ours)
    cells = x.coords.int(), list(x.spatial_shape), x.batch_size
    out, expected = ours(x), theirs(spconv.SparseConvTensor(x.feats, *cells))
    torch.testing.assert_close(out.feats, sorted_rows(expected, out))


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("out_channels", [3, 4], ids=["as many channels", "other channels"])
def test_weights_of_inverse_convolutions_of_spconv_are_converted_as_the_guide_says(
    spconv, size, out_channels
):
    x = random_tensor(SHAPES[3], 2, 3, 0.4, dtype=torch.float32)
    setting, native = (size, 1, size // 2), spconv.ConvAlgo.Native
    down = spconv.SparseConv3d(3, 3, *setting, indice_key="k", algo=native)
    up = spconv.SparseInverseConv3d(3, out_channels, size, indice_key="k", algo=native)
    our_down = layers.SparseConv3d(3, 3, *setting)
    our_up = layers.SparseInverseConv3d(3, out_channels, *setting)
    copy_weights(down, our_down)
    copy_weights(up, our_up)
    theirs = spconv.SparseConvTensor(x.feats, x.coords.int(), list(x.spatial_shape), x.batch_size)
    torch.testing.assert_close(our_up(our_down(x), x).feats, sorted_rows(up(down(theirs)), x))


@pytest.mark.parametrize("num_axes", [1, 2, 3])
@pytest.mark.parametrize("stride", [2, 3])
def test_the_cells_of_a_strided_minkowski_convolution_are_had_by_cells(num_axes, stride):
    x = random_tensor((9, 8, 7)[:num_axes], 2, 2, 0.15)
    layer = layer_of(layers, "SparseConv", num_axes)(2, 3, 3, stride, padding=1).double()
    coarse = torch.cat([x.coords[:, :1], x.coords[:, 1:] // stride], dim=1)
    out = layer(x, cells=grid_of(coarse, layer.kernel.out_shape(x.spatial_shape), x.batch_size))
    # Choy et al. 2019: an output cell lies at each multiple of the stride that an input cell is
    # rounded down to, and reads the input cells at most one place away from it on every axis.
    expected = {}
    for sample, *place in x.coords.tolist():
        corner = tuple(stride * (axis // stride) for axis in place)
        expected[sample, *corner] = layer.bias.clone()
    for cell in expected:
        for row, (sample, *place) in enumerate(x.coords.tolist()):
            offset = [there - here for there, here in zip(place, cell[1:], strict=True)]
            if sample == cell[0] and max(map(abs, offset)) <= 1:
                tap = layer.weight[:, :, *(step + 1 for step in offset)]
                expected[cell] = expected[cell] + tap @ x.feats[row]
    found = [(sample, *(stride * axis for axis in place)) for sample, *place in out.coords.tolist()]
    assert found == sorted(expected)
    torch.testing.assert_close(
        out.feats, torch.stack([expected[cell] for cell in sorted(expected)])
    )


def ones_of(layer):
    """Return the layer with all weights 1, so that a result counts the cells that it sees."""
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return layer


@pytest.mark.parametrize("bits", [31, 32])
@pytest.mark.parametrize(
    ("shape", "times"), [((100_000, 50_000), 1), ((2**31 - 1, 2**31 - 1), 123_456)]
)
def test_cells_whose_keys_agree_in_31_or_32_bits_are_not_confused(shape, times, bits):
    # The second and third cell are neighbours of the first where keys are cut to so many bits.
    keys = torch.tensor([0, times * 2**bits, times * 2**bits + 1])
    places = [torch.zeros_like(keys), keys // shape[1], keys % shape[1]]
    x = sparse_tensor(torch.stack(places, dim=1), torch.tensor([[1.0], [10.0], [100.0]]), shape, 1)
    expected = [1.0, 110.0, 110.0]
    assert ones_of(layers.SubmanifoldConv2d(1, 1, 3))(x).feats.flatten().tolist() == expected
    down = ones_of(layers.SparseConv2d(1, 1, 3, padding=1))(x)
    rows = zip(down.coords.tolist(), down.feats, strict=True)
    seen = {tuple(cell): value.item() for cell, value in rows}
    assert [seen[tuple(cell)] for cell in x.coords.tolist()] == expected
    assert sum(seen.values()) == 4 * 1 + 9 * (10 + 100)  # the first cell lies in the corner
    back = ones_of(layers.SparseInverseConv2d(1, 1, 3, padding=1))(down, x)
    assert back.feats[0].item() == 4 * 1


@pytest.mark.parametrize(
    "layer",
    [
        layers.SubmanifoldConv2d(2, 2, 3, dilation=2),
        layers.SparseConv2d(2, 2, 3, stride=2, padding=1),
        layers.SparseConvTranspose2d(2, 2, 2, stride=2),
    ],
    ids=["submanifold", "strided", "transposed"],
)
def test_second_derivatives_are_right_and_not_zero(layer):
    layer, x = layer.double(), random_tensor((4, 3), channels=2)

    def run(feats, weight):
        return torch.func.functional_call(
            layer, {"weight": weight}, (x.with_feats(feats),)
        ).feats.tanh()

    inputs = x.feats.clone().requires_grad_(), layer.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradgradcheck(run, inputs)
    (grad,) = torch.autograd.grad(run(*inputs).sum(), inputs[0], create_graph=True)
    assert torch.autograd.grad(grad.sum(), inputs[1])[0].abs().sum() > 0


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_dilation_is_heeded(dilation):
    x = random_tensor((9, 8), 1, 2, 0.6)
    ours = layers.SubmanifoldConv2d(2, 3, 3, dilation=dilation).double()
    dense = functional.conv2d(
        x.to_dense(), ours.weight, ours.bias, padding=dilation, dilation=dilation
    )
    torch.testing.assert_close(ours(x).feats, dense.movedim(1, -1)[tuple(x.coords.T)])
    others = [number for number in (1, 2, 3) if number != dilation]
    for other in others:
        wrong = functional.conv2d(
            x.to_dense(), ours.weight, ours.bias, padding=other, dilation=other
        )
        assert not torch.allclose(wrong, dense)


def test_samples_of_a_batch_do_not_see_each_other():
    parts = [random_tensor((6, 5), 1, 2, density, seed) for seed, density in enumerate((0.5, 0, 1))]
    layer = layers.SubmanifoldConv2d(2, 3, 3).double()
    down = layers.SparseConv2d(2, 3, **WINDOW).double()
    for run in (layer, down):
        together = run(cat(parts))
        apart = cat([run(part) for part in parts])
        assert torch.equal(together.coords, apart.coords)
        torch.testing.assert_close(together.feats, apart.feats)


def test_coordinates_and_features_of_any_layout_in_memory_are_read_alike():
    x = random_tensor((6, 5), 2, 3, 0.5)
    layer, down = layers.SubmanifoldConv2d(3, 2, 3).double(), layers.SparseConv2d(3, 2, 3).double()
    by_column = x.coords.T.contiguous().T
    every_second = x.coords.repeat_interleave(2, dim=0)[::2]
    behind_another = torch.cat([x.coords[:, :1], x.coords], dim=1)[:, 1:]
    for coords in (by_column, every_second, behind_another):
        assert not coords.is_contiguous()
        for feats in (x.feats, x.feats.T.contiguous().T, x.feats.repeat(1, 2)[:, :3]):
            y = SparseTensor(Grid(coords, x.spatial_shape, x.batch_size), feats)
            checked = sparse_tensor(coords, feats, x.spatial_shape, x.batch_size)
            for run in (layer, down):
                assert torch.equal(run(y).feats, run(x).feats)
                assert torch.equal(run(checked).feats, run(x).feats)


def test_bfloat16_trains():
    x = random_tensor((9, 8), 2, 4, 0.5, dtype=torch.float32)
    layer = layers.SubmanifoldConv2d(4, 6, 3)
    expected = layer(x).feats
    expected.sum().backward()
    exact = layer.weight.grad.clone()
    low = layers.SubmanifoldConv2d(4, 6, 3).bfloat16()
    low.load_state_dict(layer.state_dict())
    out = low(x.to(torch.bfloat16)).feats
    out.sum().backward()
    assert out.dtype == low.weight.grad.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, atol=0.03, rtol=0.03)
    torch.testing.assert_close(low.weight.grad.float(), exact, atol=0.2, rtol=0.03)
