"""Each test of `recsparse.testing` for layers fails for a layer that does what it is for."""

import pytest
import torch
from torch import nn

from recsparse.sparse.tensor import SparseTensor
from recsparse.testing import DenseTwinConformance
from recsparse.testing.layers import CELLS


class Linear(nn.Module):
    """A right layer, of which the others are worse ones."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]]))

    def forward(self, x):
        return x.with_feats(x.feats @ self.weight)


class OfTheMean(Linear):
    """No cells have no mean."""

    def forward(self, x):
        out = super().forward(x)
        return out.to_dense().sum(dim=(2, 3)) / len(x.feats)


class OverTheBatch(Linear):
    def forward(self, x):
        return x.with_feats((x.feats - x.feats.sum(dim=0)) @ self.weight)


class InPlace(Linear):
    def forward(self, x):
        out = super().forward(x)
        x.feats.detach().mul_(2)
        return out


class WithoutState(Linear):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(self.weight.detach().clone())
        self.calls = torch.rand(1).item()

    def forward(self, x):
        return x.with_feats(super().forward(x).feats * (1 + self.calls))


class OnTheDefaultDevice(Linear):
    def forward(self, x):
        return x.with_feats(super().forward(x).feats + torch.zeros(3))


class Detached(Linear):
    def forward(self, x):
        return x.with_feats((x.feats.detach() + x.feats * 0) @ self.weight)


class OnceOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx, feats):
        ctx.save_for_backward(feats)
        return feats**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] ** 2 * grad


class Cubes(Linear):
    def forward(self, x):
        return x.with_feats(OnceOnly.apply(x.feats) @ self.weight)


class OfEveryCell(Linear):
    """Other cells than the active ones come back, and the sizes depend on them."""

    def forward(self, x):
        most = x.coords[:, 1].max() + 1 if len(x.coords) else 1
        return SparseTensor.from_dense(super().forward(x).to_dense()[:, :, :most])


class Conformance(DenseTwinConformance):
    def __init__(self, kind):
        self.kind = kind

    def layer(self):
        return self.kind()

    def dense(self, layer, x):
        return torch.einsum("bcxy,cd->bdxy", x, layer.weight)


TESTS = {name: getattr(Conformance, name) for name in dir(Conformance) if name.startswith("test_")}


def failures(kind):
    """Return the tests that fail."""
    found = set()
    for name in TESTS:
        cells = [[each] for each in CELLS] if "active_fe" in name or "twin" in name else [[]]
        for arguments in [["cpu"]] if "tensors_where" in name else cells:
            try:
                getattr(Conformance(kind), name)(*arguments)
            except Exception:
                found.add(name)
    return found


FINITE = "test_whatever_is_active_features_and_gradients_are_finite"
GRADIENTS = "test_gradients_equal_finite_differences"
TWIN = "test_values_and_gradients_are_those_of_the_dense_twin"


def test_a_right_layer_fails_none():
    assert failures(Linear) == set()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (OfTheMean, FINITE),
        (OfEveryCell, FINITE),
        (OverTheBatch, "test_samples_do_not_meet"),
        (InPlace, "test_the_input_stays_as_it_was"),
        (WithoutState, "test_its_state_is_all_that_it_has_learned"),
        (OnTheDefaultDevice, "test_it_makes_its_tensors_where_its_input_is"),
        (Detached, GRADIENTS),
        (Detached, TWIN),
        (Cubes, GRADIENTS),
        (Cubes, TWIN),
    ],
)
def test_a_wrong_layer_fails_the_test_of_its_fault(kind, name):
    assert name in failures(kind)


def test_a_layer_without_a_second_gradient_may_say_so():
    conformance = Conformance(Cubes)
    conformance.has_second_gradient = False
    conformance.test_gradients_equal_finite_differences()
