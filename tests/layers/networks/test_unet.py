import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from recsparse.errors import InputError
from recsparse.layers.networks.unet import SparseUNet
from recsparse.sparse.concatenate import cat
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors

CONVS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


def small_unet(num_axes, depth=3, blocks=1, **options):
    torch.manual_seed(0)
    net = SparseUNet(num_axes, 2, 3, widths=[2, 3, 4][:depth], blocks=blocks, **options)
    for name, buffer in net.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 2.0)
    return net.double().eval()


def dense_unet(net, dense, active):
    """Return what the network makes of an even dense tensor, its cells masked at each level."""
    num_axes = dense.ndim - 2
    convolve, spread = CONVS[num_axes], TRANSPOSED[num_axes]

    def normed(layer, x):
        return functional.batch_norm(
            x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps
        )

    def block(layer, x, mask):
        first, norm, _, second, last_norm = layer.layers
        out = normed(norm, convolve(x, first.weight, None, 1, 1)).relu() * mask
        out = normed(last_norm, convolve(out, second.weight, None, 1, 1))
        if layer.shortcut is not None:
            x = normed(layer.shortcut_norm, convolve(x, layer.shortcut.weight))
        return (out + x).relu() * mask

    def level(layer, x, mask):
        for residual in layer.before:
            x = block(residual, x, mask)
        if layer.coarser is None:
            return x
        coarse = (convolve(mask, mask.new_ones(1, 1, *[2] * num_axes), None, 2) > 0).to(mask)
        conv, norm, _ = layer.down
        down = normed(norm, convolve(x, conv.weight, None, 2)).relu() * coarse
        up = spread(level(layer.coarser, down, coarse), layer.up.weight, None, 2)
        out = torch.cat([x, normed(layer.up_norm[0], up).relu() * mask], dim=1)
        for residual in layer.after:
            out = block(residual, out, mask)
        return out

    conv, norm, _ = net.stem
    x = normed(norm, convolve(dense, conv.weight, None, 1, 1)).relu() * active
    return convolve(level(net.level, x, active), net.head.weight, net.head.bias) * active


@pytest.mark.parametrize("num_axes", [1, 2, 3])
@given(data=st.data())
def test_the_network_equals_masked_dense_layers_on_axes_rounded_up(num_axes, data):
    max_size = {1: 9, 2: 6, 3: 4}[num_axes]
    x = data.draw(sparse_tensors(num_axes, 2, min_size=1, max_size=max_size, batch_size=1))()
    net = small_unet(
        num_axes, depth=data.draw(st.integers(1, 3)), blocks=data.draw(st.integers(1, 2))
    )
    multiple = 2**net.num_halvings
    room = [end for size in reversed(x.spatial_shape) for end in (0, -size % multiple)]
    active = functional.pad(x.with_feats(torch.ones_like(x.feats[:, :1])).to_dense(), room)
    out = net(x)
    assert out.grid is x.grid
    expected = dense_unet(net, functional.pad(x.to_dense(), room), active)
    torch.testing.assert_close(out.feats, expected.movedim(1, -1)[tuple(x.coords.T)])


@pytest.mark.parametrize("num_axes", [1, 2, 3, 4])
def test_a_single_cell_on_axes_of_one_passes_through(num_axes):
    x = random_tensor((1,) * num_axes, channels=2, density=1.0)
    out = small_unet(num_axes)(x)
    assert out.grid is x.grid
    assert out.feats.isfinite().all()


@pytest.mark.parametrize("mode", [True, False])
def test_no_cells_stay_no_cells(mode):
    x = random_tensor((5, 3), batch_size=2, channels=2, density=0.0)
    net = small_unet(2).train(mode)
    out = net(x)
    assert out.feats.shape == (0, 3)
    out.feats.sum().backward()
    assert net.head.weight.grad.abs().sum() == 0


def test_an_empty_sample_changes_nothing_for_the_others():
    net = small_unet(2)
    first, second = (random_tensor((6, 5), channels=2, seed=seed) for seed in (0, 1))
    empty = random_tensor((6, 5), channels=2, density=0.0)
    out = net(cat([first, empty, second]))
    torch.testing.assert_close(out.feats, torch.cat([net(first).feats, net(second).feats]))


def test_a_shift_by_a_cell_of_the_coarsest_grid_shifts_the_output():
    x = random_tensor((9, 7), channels=2)
    net = small_unet(2)
    moved = sparse_tensor(x.coords + torch.tensor([0, 4, 8]), x.feats, (16, 16), 1)
    here = sparse_tensor(x.coords, x.feats, (16, 16), 1)
    torch.testing.assert_close(net(moved).feats, net(here).feats)


def reach(net):
    """Return how far along one axis a changed cell changes the output."""
    # Without negative numbers no ReLU hides a change.
    for name, values in net.state_dict().items():
        values.zero_() if name.endswith("running_mean") else values.abs_()
    x = random_tensor((64,), channels=2, density=1.0)
    changed = x.feats.abs()
    changed[0] += 1
    difference = net(x.with_feats(changed)).feats - net(x.with_feats(x.feats.abs())).feats
    return int(difference.abs().amax(1).nonzero().max())


def test_the_deeper_the_network_the_further_it_sees():
    shallow, deeper, deepest = (reach(small_unet(1, depth)) for depth in (1, 2, 3))
    assert shallow == 1 + 2  # the stem, and two convolutions of three taps
    assert shallow < deeper < deepest


def test_later_passes_over_a_grid_use_its_kernel_maps(monkeypatch):
    x, net = random_tensor((7, 5), channels=2), small_unet(2)
    expected = net(x).feats
    for name in ("submanifold_kernel_map", "kernel_map_between", "conv_coords"):
        monkeypatch.setattr(f"recsparse.sparse.grid.{name}", None)
    assert torch.equal(net(x).feats, expected)


def test_a_small_network_learns_which_real_voxels_are_the_lowest_of_their_column(real_data):
    # The cells' features say nothing: it has to see the cells around.
    table = pq.read_table(real_data / "modelnet10-voxels30" / "train.parquet").slice(500, 4)
    cells = []
    for sample, voxels in enumerate(map(torch.tensor, table["voxels"].to_pylist())):
        place = torch.stack([voxels // 900, voxels // 30 % 30, voxels % 30], dim=1) // 2
        cells.append(functional.pad(place.unique(dim=0), (1, 0), value=sample))
    coords = torch.cat(cells)
    x = sparse_tensor(coords, torch.ones(len(coords), 1), (15, 15, 15), 4)
    before = functional.pad(x.coords[:-1, :3], (0, 0, 1, 0), value=-1)
    labels = (x.coords[:, :3] != before).any(1).long()
    torch.manual_seed(0)
    net = SparseUNet(3, 1, 2, widths=(8, 16))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(15):
        optimizer.zero_grad()
        functional.cross_entropy(net(x).feats, labels).backward()
        optimizer.step()
    accuracy = (net(x).feats.argmax(1) == labels).double().mean()
    share = labels.double().mean()
    assert accuracy > max(share, 1 - share) + 0.1


@pytest.mark.parametrize(("widths", "blocks"), [((), 1), ((4, 8), 0)])
def test_a_network_without_a_level_or_block_is_refused(widths, blocks):
    with pytest.raises(InputError, match=r"must name at least one level and block, but got \("):
        SparseUNet(2, 1, 1, widths, blocks)
