"""What every sparse layer must do, as tests for pytest that the test class of your layer inherits.

Example:
    In a test of your own::

        from recsparse.testing import LayerConformance

        class TestMine(LayerConformance):
            def layer(self):
                return Mine(2, 3)
"""

import copy
import io
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from recsparse.sparse.concatenate import cat
from recsparse.sparse.tensor import SparseTensor, sparse_tensor

# Which cells of a sample are active.
CELLS: dict[str, Callable[[Tensor], Tensor]] = {
    "no cell": lambda drawn: drawn < 0,
    "one cell": lambda drawn: drawn == drawn.max(),
    "one row": lambda drawn: (
        (torch.arange(len(drawn)) == 0).reshape(-1, *[1] * (drawn.ndim - 1)) & (drawn >= 0)
    ),
    "some cells": lambda drawn: drawn < 0.5,
    "all cells": lambda drawn: drawn >= 0,
}
_DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


class LayerConformance:
    """Inherited by `Test...` classes that set `layer`.

    A layer is called with one sparse tensor and returns one, or a dense tensor whose first axis is
    the batch. Cells are always sorted, so no layer sees in which order they were given.

    Attributes:
        channels: Of the input.
        spatial_shape: Of the input; small, since gradients are checked by finite differences.
        takes_batches: Whether it takes several samples, which then do not meet.
        has_second_gradient: Whether its gradient can be derived once more.
    """

    channels: ClassVar[int] = 2
    spatial_shape: ClassVar[tuple[int, ...]] = (4, 3)
    takes_batches: ClassVar[bool] = True
    has_second_gradient: ClassVar[bool] = True

    def layer(self) -> nn.Module:
        """Return a new layer, by `eval()` where it draws at random or looks at whole batches."""
        raise NotImplementedError

    def sample(self, cells: str = "some cells", seed: int = 0) -> SparseTensor:
        """Return one sample of float64, on a grid of its own."""
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.rand(self.spatial_shape, generator=generator)
        coords = CELLS[cells](drawn)[None].nonzero()
        feats = torch.randn(len(coords), self.channels, generator=generator, dtype=torch.float64)
        return sparse_tensor(coords, feats, self.spatial_shape, 1)

    def batch(self) -> SparseTensor:
        """Return two different samples, or one where the layer takes no more."""
        return cat([self.sample(seed=seed) for seed in range(1 + self.takes_batches)])

    @pytest.mark.parametrize("cells", CELLS)
    def test_whatever_is_active_features_and_gradients_are_finite(self, cells: str) -> None:
        layer, x = self.layer(), self.sample(cells).to(torch.float32)
        feats = x.feats.requires_grad_()
        out = layer(x.with_feats(feats))
        assert size_of(out) == size_of(layer(self.sample("all cells").to(torch.float32)))
        assert feats_of(out).dtype == torch.float32
        assert feats_of(out).isfinite().all()
        feats_of(out).sum().backward()
        gradients = [feats.grad, *(each.grad for each in layer.parameters())]
        assert all(each.isfinite().all() for each in gradients if each is not None)

    def test_the_input_stays_as_it_was(self) -> None:
        x = self.batch().to(torch.float32)
        coords, feats = x.coords.clone(), x.feats.clone()
        self.layer()(x)
        assert torch.equal(x.coords, coords)
        assert torch.equal(x.feats, feats)

    def test_gradients_equal_finite_differences(self) -> None:
        layer, x = self.layer().double(), self.batch()

        def called(feats: Tensor, *_: Tensor) -> Tensor:
            return feats_of(layer(x.with_feats(feats)))

        inputs = (x.feats.clone().requires_grad_(), *layer.parameters())
        assert gradcheck(called, inputs, fast_mode=True)
        if self.has_second_gradient:
            assert gradgradcheck(called, inputs, fast_mode=True)

    def test_samples_do_not_meet(self) -> None:
        if not self.takes_batches:
            pytest.skip("it takes one sample")
        layer, (x, y) = self.layer().double(), (self.sample(seed=seed) for seed in (0, 1))
        feats = torch.cat([x.feats, y.feats]).requires_grad_()
        together = layer(cat([x, y]).with_feats(feats))
        for number, alone in enumerate((layer(x), layer(y))):
            assert_same(sample_of(together, number), alone)
        (gradient,) = torch.autograd.grad(feats_of(sample_of(together, 0)).sum(), feats)
        assert not gradient[len(x.feats) :].any(), "a sample has a gradient at another's cells"

    def test_its_state_is_all_that_it_has_learned(self) -> None:
        layer, x = self.layer().double(), self.batch()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(torch.linspace(0.1, 0.3, parameter.numel()).reshape_as(parameter))
        file = io.BytesIO()
        torch.save(layer.state_dict(), file)
        file.seek(0)
        again = self.layer().double()
        again.load_state_dict(torch.load(file, weights_only=True))
        assert_same(again(x), layer(x))
        assert_same(copy.deepcopy(layer)(x), layer(x))

    @pytest.mark.parametrize("device", _DEVICES)
    def test_it_makes_its_tensors_where_its_input_is(self, device: str) -> None:
        """A layer that forgets `device=` makes them on the default device, which holds nothing."""
        layer, expected = self.layer().to(device), self.layer()
        expected.load_state_dict(layer.state_dict())
        x = self.batch().to(torch.float32)
        there = x.to(device)
        with torch.device("meta"):
            out = layer(there)
        assert feats_of(out).device.type == device
        found = feats_of(out).detach().cpu()
        torch.testing.assert_close(found, feats_of(expected(x)).detach(), rtol=1e-4, atol=1e-5)


class DenseTwinConformance(LayerConformance):
    """Of layers that do what a function of the dense tensor does, at the cells of their output."""

    def dense(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Return what the layer's dense twin makes of (batch, channels, *spatial_shape).

        It takes the layer's own parameters, so that their gradients are compared, too.
        """
        raise NotImplementedError

    @pytest.mark.parametrize("cells", CELLS)
    def test_values_and_gradients_are_those_of_the_dense_twin(self, cells: str) -> None:
        layer, x = self.layer().double(), self.sample(cells)
        feats = x.feats.requires_grad_()
        out = layer(x.with_feats(feats))
        expected = self.dense(layer, x.with_feats(feats).to_dense())
        if isinstance(out, SparseTensor):
            expected = expected.movedim(1, -1)[tuple(out.coords.T)]
        torch.testing.assert_close(feats_of(out), expected)
        into = torch.linspace(-1, 2, expected.numel(), dtype=torch.float64).reshape_as(expected)
        inputs = [feats, *layer.parameters()]
        found, wanted = (
            torch.autograd.grad(each, inputs, into, allow_unused=True, materialize_grads=True)
            for each in (feats_of(out), expected)
        )
        torch.testing.assert_close(found, wanted)


def feats_of(out: SparseTensor | Tensor) -> Tensor:
    """Return the numbers of a layer's result."""
    return out.feats if isinstance(out, SparseTensor) else out


def size_of(out: SparseTensor | Tensor) -> tuple[int, ...]:
    """Return the sizes of a layer's result, which do not depend on what is active."""
    if isinstance(out, SparseTensor):
        return (out.batch_size, out.num_channels, *out.spatial_shape)
    return tuple(out.shape)


def sample_of(out: SparseTensor | Tensor, number: int) -> SparseTensor | Tensor:
    """Return one sample of a layer's result."""
    if isinstance(out, SparseTensor):
        return out.samples(torch.tensor([number]))
    return out[number : number + 1]


def assert_same(found: SparseTensor | Tensor, expected: SparseTensor | Tensor) -> None:
    """Assert that two results have the same cells and, up to rounding, the same features."""
    assert size_of(found) == size_of(expected)
    if isinstance(found, SparseTensor) and isinstance(expected, SparseTensor):
        assert torch.equal(found.coords, expected.coords)
    torch.testing.assert_close(feats_of(found), feats_of(expected))
