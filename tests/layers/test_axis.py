import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.layers.axis import AxisConv, AxisConv2d
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors

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


def test_one_layer_serves_grids_of_any_size():
    layer = layer_of(("row", "column", "all"))
    for shape in [(1, 1), (9, 2), (0, 5)]:
        x = random_tensor(shape, channels=2, density=1.0)
        assert layer(x).feats.shape == (shape[0] * shape[1], 3)


def test_an_unknown_axis_is_refused(unchecked_types):
    with pytest.raises(InputError, match=r"of 'row', 'column', 'all', but got \['diagonal'\]"):
        AxisConv2d(1, 1, axes=["row", "diagonal"])


def test_a_tensor_of_other_than_two_axes_is_refused():
    with pytest.raises(InputError, match="AxisConv2d needs two axes, but got 3"):
        layer_of(("row",))(random_tensor((2, 2, 2), channels=2))


def sets_of_axes(num_axes):
    """List the proper subsets by counting in binary."""
    return [
        tuple(axis for axis in range(num_axes) if number >> axis & 1)
        for number in range(2**num_axes - 1)
    ]


@given(st.data(), st.integers(1, 4), st.booleans())
def test_in_any_number_of_axes_each_cell_is_mixed_with_the_means_of_its_lines(data, axes, bias):
    x = data.draw(sparse_tensors(axes, channels=2, max_size=3))()
    some = st.lists(st.sampled_from(sets_of_axes(axes)), unique=True)
    kept_axes = data.draw(st.none() | some)
    torch.manual_seed(0)
    layer = AxisConv(axes, 2, 3, bias, kept_axes).double()
    weights = {name: part.detach().numpy() for name, part in layer.state_dict().items()}
    coords, feats = x.coords.numpy(), x.feats.numpy()
    expected = feats @ weights["cell.weight"].T + weights.get("cell.bias", 0)
    for kept in sets_of_axes(axes) if kept_axes is None else kept_axes:
        name = "_".join(str(axis) for axis in kept) if kept else "all"
        places = coords[:, [0, *(1 + axis for axis in kept)]]
        for cell, place in enumerate(places):
            mean = feats[(places == place).all(axis=1)].mean(axis=0)
            expected[cell] += weights[f"mixed.{name}.weight"] @ mean
    out = layer(x)
    assert out.grid is x.grid
    np.testing.assert_allclose(out.feats.detach(), expected, atol=1e-12)


@pytest.mark.parametrize("num_axes", [1, 2, 3, 4])
def test_without_a_choice_there_are_all_lines_but_the_cell_itself(num_axes):
    layer = AxisConv(num_axes, 1, 1)
    assert len(layer.mixed) == 2**num_axes - 1
    assert "_".join(map(str, range(num_axes))) not in layer.mixed


def test_the_matrix_layer_is_the_tensor_layer_of_two_axes():
    x, matrix = random_tensor((4, 5), 2, channels=2), layer_of(("row", "column", "all"))
    tensor = AxisConv(2, 2, 3).double()
    names = {"row": "0", "column": "1", "all": "all"}
    state = matrix.state_dict()
    assert list(state) == ["cell.weight", "cell.bias", *(f"mixed.{name}.weight" for name in names)]
    for old, new in names.items():
        state[f"mixed.{new}.weight"] = state.pop(f"mixed.{old}.weight")
    tensor.load_state_dict(state)
    torch.testing.assert_close(tensor(x).feats, matrix(x).feats)


def test_planes_of_a_huge_grid_need_memory_for_active_ones_alone():
    coords = torch.tensor([[0, 9, 10**9, 0], [0, 9, 10**9, 1], [0, 10**9, 3, 0]])
    shape = (1_200_000_000, 1_200_000_000, 2)
    x = sparse_tensor(coords, torch.tensor([[1.0], [3.0], [5.0]]), shape, 1)
    layer = AxisConv(3, 1, 1, bias=False, kept_axes=[(0, 1)])
    layer.cell.weight.data.fill_(10.0)
    layer.mixed["0_1"].weight.data.fill_(1.0)
    assert layer(x).feats.flatten().tolist() == [12.0, 32.0, 55.0]


def test_nan_reaches_the_lines_through_its_cell_and_no_others():
    x = random_tensor((3, 3), channels=2, density=1.0)
    feats = x.feats.clone()
    feats[4, 0] = torch.nan
    bad = layer_of(("row",))(x.with_feats(feats)).feats.isnan().all(dim=1)
    assert torch.equal(bad, x.coords[:, 1] == 1)


def test_under_autocast_products_are_coarse_and_means_are_not():
    x = random_tensor((50, 50), channels=2, density=1.0, dtype=torch.float32)
    layer = layer_of(("row", "column", "all")).float()
    exact = layer(x).feats
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x).feats
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), exact, atol=0.03, rtol=0.02)


@pytest.mark.parametrize("kept_axes", [[(0, 1)], [(2,)], [(0, 0)], [(0,), (0,)], [(-1,)]])
def test_sets_of_axes_that_cannot_be_are_refused(kept_axes):
    with pytest.raises(InputError, match="kept_axes must be different sets of fewer than 2 axes"):
        AxisConv(2, 1, 1, kept_axes=kept_axes)


def test_other_channels_and_axes_are_refused_by_the_layers_name():
    with pytest.raises(InputError, match="AxisConv2d needs feats of 2 channels, but got 3"):
        layer_of(("row",))(random_tensor((2, 2), channels=3))
    with pytest.raises(InputError, match="AxisConv needs 3 axes, but got 2"):
        AxisConv(3, 1, 1)(random_tensor((2, 2)))
    with pytest.raises(InputError, match="fewer than 0 axes"):
        AxisConv(0, 1, 1)
