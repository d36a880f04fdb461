import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from recsparse.errors import InputError
from recsparse.layers.causal import CausalConv1d
from recsparse.sparse.positions import from_positions, to_positions
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors


@st.composite
def settings_of_layers(draw):
    groups = draw(st.integers(1, 2))
    channels = [groups * draw(st.integers(1, 2)) for _ in range(2)]
    return channels, {
        "kernel_size": draw(st.integers(1, 4)),
        "dilation": draw(st.integers(1, 3)),
        "groups": groups,
        "bias": draw(st.booleans()),
    }


def dense_causal(layer, dense):
    """Return torch's conv1d of each line, padded on the left alone."""
    batch, channels, *others, time = dense.shape
    lines = dense.movedim(1, -2).reshape(-1, channels, time)
    reach = (layer.kernel_size[0] - 1) * layer.dilation[0]
    out = functional.conv1d(
        functional.pad(lines, (reach, 0)),
        layer.weight,
        layer.bias,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    return out.reshape(batch, *others, layer.out_channels, time).movedim(-2, 1)


@pytest.mark.parametrize("num_axes", [1, 2, 3])
@given(data=st.data())
def test_the_layer_equals_a_dense_convolution_padded_on_the_left(num_axes, data):
    channels, options = data.draw(settings_of_layers())
    x = data.draw(sparse_tensors(num_axes, channels[0], min_size=1, batch_size=2))()
    layer = CausalConv1d(*channels, **options).double()
    out = layer(x)
    assert out.grid is x.grid
    expected = dense_causal(layer, x.to_dense()).movedim(1, -1)[tuple(x.coords.T)]
    torch.testing.assert_close(out.feats, expected)
    grads = torch.autograd.grad(out.feats.square().sum(), list(layer.parameters()))
    wanted = torch.autograd.grad(expected.square().sum(), list(layer.parameters()))
    torch.testing.assert_close(grads, wanted)


def test_what_happens_later_changes_nothing_before_it():
    x = random_tensor((5, 12), channels=2, density=0.6)
    layers = [CausalConv1d(2, 2, 3, dilation=dilation).double() for dilation in (1, 2, 4)]
    now = 7
    changed = torch.where(x.coords[:, 2:] > now, 100 * x.feats, x.feats)
    gone = x.select(x.coords[:, 2] <= now)
    outs = []
    for events in (x, x.with_feats(changed), gone):
        for layer in layers:
            events = layer(events)
        outs.append(events.feats[events.coords[:, 2] <= now])
    torch.testing.assert_close(outs[1], outs[0], rtol=0, atol=0)
    torch.testing.assert_close(outs[2], outs[0])


def test_the_present_and_the_oldest_tap_of_the_window_are_seen():
    layer = CausalConv1d(1, 1, 3, dilation=2, bias=False).double()
    line = torch.zeros(1, 1, 6, dtype=torch.float64)
    line[0, 0, 5] = line[0, 0, 1] = 1
    oldest, _, present = layer.weight.flatten()
    out = layer(SparseTensor.from_dense(line)).to_dense()[0, 0]
    torch.testing.assert_close(out[5], present + oldest)
    torch.testing.assert_close(out[1], present)


def test_events_far_apart_are_neighbours_by_position_and_not_by_time():
    events = SparseTensor.from_dense(torch.tensor([[[[1.0, 0, 0, 0, 10], [0, 3, 0, 5, 0]]]]))
    layer = CausalConv1d(1, 1, 2, bias=False)
    torch.nn.init.ones_(layer.weight)
    by_time = layer(events)
    by_position = from_positions(layer(to_positions(events)), events)
    assert by_time.feats.flatten().tolist() == [1, 10, 3, 5]
    assert by_position.feats.flatten().tolist() == [1, 1 + 10, 3, 3 + 5]


def test_layers_of_one_window_share_the_kernel_map_of_the_grid(monkeypatch):
    x = random_tensor((4, 6), channels=2)
    CausalConv1d(2, 2, 3).double()(x)
    monkeypatch.setattr("recsparse.sparse.grid.kernel_map_between", None)
    CausalConv1d(2, 3, 3).double()(x)
    with pytest.raises(TypeError):
        CausalConv1d(2, 3, 3, dilation=2).double()(x)


def test_a_window_longer_than_the_time_axis_works():
    x = random_tensor((3, 4), channels=1)
    layer = CausalConv1d(1, 1, 2, dilation=2**40, bias=False).double()
    torch.testing.assert_close(layer(x).feats, x.feats * layer.weight[0, 0, 1])


def test_time_may_be_counted_in_seconds():
    # 2^31 - 1 seconds of 10^9 users: the keys need 61 bits.
    late = 2**31 - 2
    coords = torch.tensor([[0, 7, late - 1], [0, 7, late], [0, 8, 0]])
    x = sparse_tensor(coords, torch.tensor([[1.0], [2.0], [4.0]]), (10**9, late + 1), 1)
    layer = CausalConv1d(1, 1, 2, bias=False)
    torch.nn.init.ones_(layer.weight)
    assert layer(x).feats.flatten().tolist() == [1, 1 + 2, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 1, 0), r"kernel_size must be at least 1 on each axis, but got \(0,\)"),
        ((1, 1, 2, 0), r"dilation must be at least 1 on each axis, but got \(0,\)"),
        ((3, 2, 3, 1, 2), "must be positive multiples of groups, but got 3, 2 and 2"),
    ],
)
def test_settings_that_make_no_layer_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        CausalConv1d(*arguments)


def test_a_tensor_of_other_channels_is_refused():
    layer = CausalConv1d(2, 1, 3).double()
    with pytest.raises(InputError, match=r"CausalConv1d\(2, 1.* needs feats of 2 channels, but"):
        layer(random_tensor((2, 2), channels=3))
