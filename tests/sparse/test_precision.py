"""Every layer in every precision, under autocast and without it, forward and backward."""

import copy
import re

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from recsparse import layers
from recsparse.sparse.precision import in_wide_type, rows_at, wide_type, widened
from recsparse.sparse.tensor import sparse_tensor
from tests.layer_zoo import ELSEWHERE, VARIANTS, ZOO, batch, make, result_and_gradients
from tests.random_grids import random_tensor

# A few roundings of 8 or 11 bits one after the other.
TOLERANCE = {torch.bfloat16: 0.03, torch.float16: 0.004}
# What divides by differences of the features, which rounding changes more than themselves.
LOOSE = {"SparseLayerNorm": 4, "RidgePool": 4}
NETWORKS = {"SparseUNet", "SparseResNet", "SparseVGG"}

# One layer, and nothing between its sums that is rounded to its type.
SINGLE = [
    name for name in ZOO | VARIANTS
    if name not in NETWORKS | {"SparseBasicBlock", "SparseBottleneck"}
]  # fmt: skip
# Where all values are alike, what these divide by or multiply with is nearly zero in any type.
NEED_SPREAD = ("RidgePool", "AttentionPool", "SparseLayerNorm")
MANY = (60, 50)  # thousands of cells of one sample, channel and line
ROUNDINGS = {torch.float16: 2, torch.bfloat16: 2, torch.float32: 500}


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


def values(kind, dtype):
    x = batch(shape=MANY, dtype=torch.float64)
    shifted = {"around 0": x.feats, "around 50": 50 + x.feats.abs(), "large": 3000 + 300 * x.feats}
    return x.with_feats(shifted[kind].to(dtype))


def all_results(layer, x, dtype):
    """Return output, gradients and running statistics, of weights that the type holds exactly."""
    feats = x.feats.clone().requires_grad_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = layer(x.with_feats(feats))
    out = getattr(out, "feats", out)
    into = (
        (37 * torch.linspace(-1, 2, out.numel(), dtype=torch.float64)).sin().to(dtype).to(out.dtype)
    )
    inputs = {"x": feats, **dict(layer.named_parameters())}
    grads = torch.autograd.grad(
        out, list(inputs.values()), into.reshape(out.shape), allow_unused=True
    )
    found = {"out": out, **dict(zip(inputs, grads, strict=True)), **dict(layer.named_buffers())}
    return {
        name: value.detach()
        for name, value in found.items()
        if value is not None and value.is_floating_point()
    }


@pytest.mark.usefixtures("conv_path")
@pytest.mark.parametrize("dtype", ROUNDINGS, ids=str)
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", SINGLE)
def test_sums_and_statistics_are_exact_but_for_a_rounding_to_the_type(name, train, dtype):
    roundings = ROUNDINGS[dtype]
    if name == "SparseLayerNorm" and dtype == torch.float32:
        roundings *= 10  # torch's own layer, with a cell whose channels are nearly alike
    kinds = ["around 0"] if name.startswith(NEED_SPREAD) else ["around 0", "around 50", "large"]
    for kind in kinds:
        x = values(kind, dtype)
        layer = make(name, MANY).to(dtype).train(train)
        exact = copy.deepcopy(layer).double()
        for part in (layer, exact):
            if name == "CellDropout":
                part.generator = torch.Generator().manual_seed(0)
        found = all_results(layer, x, dtype)
        expected = all_results(exact, x.to(torch.float64), dtype)
        assert found.keys() == expected.keys()
        limits = torch.finfo(dtype)
        for part, value in expected.items():
            assert found[part].dtype == dtype
            rounded = value.to(dtype).double()  # infinite where the type ends
            finite = rounded.isfinite()
            assert torch.equal(found[part].double()[~finite], rounded[~finite]), (kind, part)
            far = max([0.0, *(found[part].double() - value)[finite].abs().flatten().tolist()])
            scale = max([limits.tiny, *value[finite].abs().flatten().tolist()])
            assert far <= roundings * limits.eps * scale, (kind, part, far / scale)


class OnlyFloat64(TorchDispatchMode):
    """Refuse operations that make floating numbers of another type."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        for part in tree_leaves(out):
            if isinstance(part, torch.Tensor) and part.is_floating_point():
                assert part.dtype == torch.float64, operation
        return out


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", ZOO | VARIANTS)
def test_nothing_of_float64_is_computed_in_another_type(name, train):
    if name == "CellDropout":
        pytest.skip("the numbers drawn are no features")
    layer, x = make(name).double().train(train), batch(dtype=torch.float64)
    layer(x)  # what is drawn or built at the first call
    with OnlyFloat64():
        all_results(layer, x, torch.float64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_repeated_cells_are_added_up_and_averaged_in_float32(dtype):
    feats = (50 + torch.rand(5000, 2, generator=torch.Generator().manual_seed(0))).to(dtype)
    cells = torch.zeros(5000, 2, dtype=torch.int64)
    mean = sparse_tensor(cells, feats, (3,), 1, on_duplicates="mean").feats
    assert torch.equal(mean[0], feats.double().mean(0).to(dtype))
    few = feats[:500]
    total = sparse_tensor(cells[:500], few, (3,), 1, on_duplicates="sum").feats
    assert torch.equal(total[0], few.double().sum(0).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("read", ["samples", "at", "onto", "rows_at"])
def test_gradients_of_a_cell_that_is_read_many_times_are_added_up_in_float32(read, dtype):
    x = sparse_tensor(torch.zeros(1, 2).long(), torch.ones(1, 1, dtype=dtype), (2,), 1)
    feats = x.feats.clone().requires_grad_()
    y, times = x.with_feats(feats), torch.zeros(3000, dtype=torch.int64)
    rows = {
        "samples": lambda: y.samples(times).feats,
        "at": lambda: y.at(torch.zeros(3000, 2).long()),
        "onto": lambda: y.onto(y.grid).feats.expand(3000, 1),
        "rows_at": lambda: rows_at(feats, times),
    }[read]()
    rows.sum().backward()
    assert feats.grad.item() == 3000 if dtype == torch.float16 else 2992 <= feats.grad <= 3008


def test_only_low_precision_is_widened():
    expected = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
    for dtype in [*ROUNDINGS, torch.float64]:
        assert wide_type(dtype) == expected.get(dtype, dtype)
        assert widened(torch.ones(1, dtype=dtype)).dtype == wide_type(dtype)
    x = torch.ones(2, 3)
    assert widened(x) is x


@pytest.mark.parametrize("dtype", [*ROUNDINGS, torch.float64], ids=str)
def test_a_module_in_the_wide_type_keeps_its_parameters_and_gives_them_gradients(dtype):
    layer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    layer = layer.to(dtype)
    feats = torch.ones(2, 3, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        out = in_wide_type(layer, feats)
    exact = copy.deepcopy(layer).double()
    assert out.dtype == wide_type(dtype)
    torch.testing.assert_close(out.double(), exact(feats.double()), rtol=1e-5, atol=1e-5)
    out.sum().backward()
    assert all(part.dtype == part.grad.dtype == dtype for part in layer.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "name", ["SparseBatchNorm", "SparseInstanceNorm", "SparseGroupNorm", "SparseSyncBatchNorm"]
)
def test_many_cells_that_are_alike_have_no_variance(name, dtype):
    coords = torch.arange(70_000)[:, None]
    feats = torch.full((70_000, 4), 3000, dtype=dtype)
    x = sparse_tensor(torch.nn.functional.pad(coords, (1, 0)), feats, (70_000,), 1)
    assert make(name).to(dtype)(x).feats.abs().max() < 0.02


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("kind", ["SparseBatchNorm", "SparseInstanceNorm", "SparseSyncBatchNorm"])
def test_running_statistics_of_float64_are_exact_to_float64(kind, momentum):
    settings = {"track_running_stats": True, "momentum": momentum}
    dense = {"SparseInstanceNorm": torch.nn.InstanceNorm2d}.get(kind, torch.nn.BatchNorm2d)
    layer, expected = (make(4, **settings).double() for make in (getattr(layers, kind), dense))
    for seed in range(3):
        x = random_tensor((5, 7), 3, 4, 1.0, seed)
        layer(x)
        expected(x.to_dense())
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[name], value, rtol=1e-14, atol=1e-14)
    layer.eval(), expected.eval()
    torch.testing.assert_close(layer(x).to_dense(), expected(x.to_dense()), rtol=1e-12, atol=1e-12)


def test_every_layer_is_looked_at():
    # Those of other numbers of axes are the same code.
    of_two_axes = {name for name in layers.__all__ if not re.search("[134]d$", name)}
    looked_at = {name.split(" ")[0] for name in ZOO} | ELSEWHERE
    assert of_two_axes | {"CausalConv1d"} == looked_at
