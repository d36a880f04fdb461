import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.layers.axis import AxisConv2d
from recsparse.sparse.concatenate import cat
from recsparse.sparse.tensor import sparse_tensor
from tests.grids import random_tensor, sparse_tensors

some_axes = st.lists(st.sampled_from(["row", "column", "all"]), unique=True).map(tuple)


def layer_of(axes, in_channels=2, out_channels=3, bias=True):
    torch.manual_seed(0)
    return AxisConv2d(in_channels, out_channels, bias=bias, axes=axes).double()


def mixed_one_by_one(x, layer):
    """Apply the formula cell by cell in numpy, with means over the active cells of a mask."""
    weights = {name: part.detach().numpy() for name, part in layer.state_dict().items()}
    sample, row, column = x.coords.numpy().T
    feats = x.feats.numpy()
    out = np.zeros((len(feats), layer.cell.out_features))
    for cell in range(len(feats)):
        same = sample == sample[cell]
        lines = {
            "row": same & (row == row[cell]),
            "column": same & (column == column[cell]),
            "all": same,
        }
        out[cell] = weights["cell.weight"] @ feats[cell] + weights.get("cell.bias", 0)
        for axis in layer.axes:
            out[cell] += weights[f"mixed.{axis}.weight"] @ feats[lines[axis]].mean(axis=0)
    return out


@given(sparse_tensors(2, channels=2), some_axes, st.booleans())
def test_each_cell_is_mixed_with_the_means_of_its_lines(make, axes, bias):
    x, layer = make(), layer_of(axes, bias=bias)
    out = layer(x)
    assert out.grid is x.grid
    np.testing.assert_allclose(out.feats.detach(), mixed_one_by_one(x, layer), atol=1e-12)


@given(sparse_tensors(2, channels=2), st.data())
def test_exchanged_rows_and_columns_give_the_exchanged_result(make, data):
    x, layer = make(), layer_of(("row", "column", "all"))
    rows, columns = (
        torch.tensor(data.draw(st.permutations(range(size))), dtype=torch.int64)
        for size in x.spatial_shape
    )
    sample, row, column = x.coords.T
    moved = torch.stack([sample, rows[row], columns[column]], dim=1)
    exchanged = sparse_tensor(moved, x.feats, x.spatial_shape, x.batch_size)
    expected = sparse_tensor(moved, layer(x).feats, x.spatial_shape, x.batch_size)
    torch.testing.assert_close(layer(exchanged).feats, expected.feats)


def test_samples_do_not_mix():
    layer = layer_of(("row", "column", "all"))
    x, y = (random_tensor((3, 4), channels=2, seed=seed) for seed in (1, 2))
    together = layer(cat([x, y])).feats
    torch.testing.assert_close(together, torch.cat([layer(x).feats, layer(y).feats]))


def test_one_layer_serves_grids_of_any_size():
    layer = layer_of(("row", "column", "all"))
    for shape in [(1, 1), (9, 2), (0, 5)]:
        x = random_tensor(shape, channels=2, density=1.0)
        assert layer(x).feats.shape == (shape[0] * shape[1], 3)


def test_the_gradients_equal_finite_differences():
    layer = layer_of(("row", "column", "all"))
    x = random_tensor((3, 3), batch_size=2, channels=2)
    inputs = (x.feats.clone().requires_grad_(), *layer.parameters())

    def mix(feats, *_):
        return layer(x.with_feats(feats)).feats

    assert torch.autograd.gradcheck(mix, inputs)


def test_an_unknown_axis_is_refused(unchecked_types):
    with pytest.raises(InputError, match=r"of 'row', 'column', 'all', but got \['diagonal'\]"):
        AxisConv2d(1, 1, axes=["row", "diagonal"])


def test_a_tensor_of_other_than_two_axes_is_refused():
    with pytest.raises(InputError, match="AxisConv2d needs two axes, but got 3"):
        layer_of(("row",))(random_tensor((2, 2, 2), channels=2))
