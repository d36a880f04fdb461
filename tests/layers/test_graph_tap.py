import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.graph_tap import GraphTapConv
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors


def random_table(num_places, num_neighbours, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-1, num_places, (num_places, num_neighbours), generator=generator)


def by_loop(layer, x, axis):
    """Return the output row by row, from a dictionary of cells."""
    row = {tuple(cell): number for number, cell in enumerate(x.coords.tolist())}
    per_group = layer.in_channels // layer.groups
    # The zeros hang on the weight, which has a gradient where no tap meets a cell.
    out = torch.zeros(len(row), layer.out_channels).double() + 0 * layer.weight.sum()
    for cell, number in row.items():
        for tap, neighbour in enumerate(layer.table[cell[1 + axis]].tolist()):
            read = row.get((*cell[: 1 + axis], neighbour, *cell[2 + axis :]))
            for channel in range(layer.out_channels if read is not None else 0):
                group = channel // (layer.out_channels // layer.groups)
                seen = x.feats[read][group * per_group : (group + 1) * per_group]
                out[number, channel] += layer.weight[channel, :, tap] @ seen
    return out if layer.bias is None else out + layer.bias


@pytest.mark.parametrize("num_axes", [1, 2, 3])
@given(data=st.data())
def test_the_layer_equals_a_loop_over_cells_and_taps(num_axes, data):
    groups, axis = data.draw(st.integers(1, 2)), data.draw(st.integers(0, num_axes - 1))
    x = data.draw(sparse_tensors(num_axes, 2, min_size=1, max_size=3, batch_size=1))()
    table = random_table(x.spatial_shape[axis], data.draw(st.integers(1, 3)), seed=len(x.feats))
    bias = data.draw(st.booleans())
    layer = GraphTapConv(2, 2, table, axis, groups, bias).double()
    out = layer(x)
    assert out.grid is x.grid
    expected = by_loop(layer, x, axis)
    torch.testing.assert_close(out.feats, expected)
    grads = torch.autograd.grad(out.feats.square().sum(), list(layer.parameters()))
    wanted = torch.autograd.grad(expected.square().sum(), list(layer.parameters()))
    torch.testing.assert_close(grads, wanted)


@pytest.mark.parametrize("axis", [1, -1])
def test_a_table_of_shifts_makes_a_submanifold_convolution(axis):
    x = random_tensor((6, 7), batch_size=2, channels=2)
    places = torch.arange(7)
    table = torch.stack([places - 1, places, places + 1], dim=1)
    table[table == 7] = -1
    layer = GraphTapConv(2, 3, table, axis).double()
    window = SubmanifoldConv2d(2, 3, (1, 3)).double()
    window.load_state_dict({"weight": layer.weight.unsqueeze(2), "bias": layer.bias})
    torch.testing.assert_close(layer(x).feats, window(x).feats)


def test_columns_may_be_numbered_in_any_order():
    x = random_tensor((5, 6), channels=2)
    table, order = random_table(6, 3, seed=1), torch.tensor([3, 0, 5, 1, 4, 2])
    layer = GraphTapConv(2, 2, table).double()
    new_number = order.argsort()
    renamed = torch.where(table < 0, -1, new_number[table])[order]
    other = GraphTapConv(2, 2, renamed).double()
    other.load_state_dict(layer.state_dict() | {"table": renamed})
    coords = x.coords.clone()
    coords[:, 2] = new_number[coords[:, 2]]
    moved = sparse_tensor(coords, x.feats, x.spatial_shape, 1)
    out = other(moved).to_dense()[..., new_number]
    torch.testing.assert_close(out, layer(x).to_dense())


def test_layers_of_one_table_share_the_kernel_map_and_another_table_has_its_own():
    x = random_tensor((5, 6), channels=2)
    table = random_table(6, 3, seed=0)
    first, second = GraphTapConv(2, 2, table), GraphTapConv(2, 4, table)
    kernel_map = x.grid.neighbour_map(first.table, 1)
    assert x.grid.neighbour_map(second.table, 1) is kernel_map
    assert x.grid.neighbour_map(table.clone(), 1) is not kernel_map


def test_weights_and_a_table_that_are_loaded_count_at_once():
    x = random_tensor((5, 6), channels=2)
    layer, other = (GraphTapConv(2, 2, random_table(6, 3, seed)).double() for seed in (0, 1))
    assert not torch.equal(layer(x).feats, other(x).feats)
    layer.load_state_dict(other.state_dict())
    assert torch.equal(layer(x).feats, other(x).feats)


def test_a_layer_can_be_pickled():
    x = random_tensor((5, 6), channels=2)
    layer = GraphTapConv(2, 2, random_table(6, 3, seed=0)).double()
    expected = layer(x).feats
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x).feats, expected)


def test_a_table_may_be_made_in_inference_mode_and_be_of_small_integers():
    x = random_tensor((5, 6), channels=2)
    table = random_table(6, 3, seed=0)
    with torch.inference_mode():
        made = table.clone()
    layer = GraphTapConv(2, 2, table).double()
    for same in (made, table.to(torch.int8)):
        other = GraphTapConv(2, 2, same).double()
        other.load_state_dict(layer.state_dict())
        assert torch.equal(other(x).feats, layer(x).feats)


def test_a_table_of_no_neighbours_leaves_the_bias():
    x = random_tensor((5, 6), channels=2)
    layer = GraphTapConv(2, 3, torch.full((6, 2), -1)).double()
    torch.testing.assert_close(layer(x).feats, layer.bias.expand(len(x.feats), 3))


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (torch.zeros(3), r"table must be integers .* but got torch.float32 of shape \(3,\)"),
        (torch.zeros(3, 2), r"table must be integers .* but got torch.float32 of shape \(3, 2\)"),
        (torch.zeros(3, 0, dtype=torch.int64), r"at least one neighbour per place, but got"),
        (torch.tensor([[0], [2]]), r"from 0 to 1, or -1 .* 1 of 2 rows.* table\[1\] = \[2\]"),
        (torch.tensor([[-2], [0]]), r"from 0 to 1, or -1 .* 1 of 2 rows.* table\[0\] = \[-2\]"),
    ],
)
def test_a_table_that_holds_no_places_is_refused(table, message):
    with pytest.raises(InputError, match=message):
        GraphTapConv(1, 1, table)


def test_a_tensor_that_does_not_fit_the_table_is_refused():
    table = random_table(6, 3, seed=0)
    layer = GraphTapConv(2, 1, table).double()
    with pytest.raises(InputError, match=r"GraphTapConv\(2, 1.* needs feats of 2 channels, but"):
        layer(random_tensor((2, 6), channels=3))
    with pytest.raises(InputError, match=r"needs an axis 1 of 6 places.* got spatial_shape \(6, 2"):
        layer(random_tensor((6, 2), channels=2))
    with pytest.raises(InputError, match=r"axis must be from -2 to 1, but GraphTapConv.* has 2"):
        GraphTapConv(2, 1, table, axis=2).double()(random_tensor((6, 6), channels=2))


def test_a_table_on_another_device_is_refused():
    layer = GraphTapConv(1, 1, random_table(6, 3, seed=0)).double()
    layer.table = layer.table.to("meta")
    with pytest.raises(InputError, match="must be on one device, but got meta and cpu; move one"):
        layer(random_tensor((2, 6)))
