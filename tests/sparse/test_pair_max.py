import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.sparse import pair_max as module
from recsparse.sparse.kernel import Kernel
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pair_max import pair_max
from tests.random_grids import random_tensor, sparse_tensors


def fields(pairs):
    kinds = pairs.num_out, pairs.symmetric, pairs.monotone
    return pairs.in_index, pairs.out_index, pairs.tap_ptr, *kinds


def winners_one_by_one(feats, pairs):
    """Keep, for each output cell and channel, the first largest or the last NaN."""
    rows, winner = feats.tolist(), torch.full((pairs.num_out, feats.shape[1]), len(feats))
    for tap in range(pairs.num_taps):
        for into, out in zip(*(ends.tolist() for ends in pairs.tap(tap)), strict=True):
            for channel, value in enumerate(rows[into]):
                held = int(winner[out, channel])
                if held == len(feats) or value != value or value > rows[held][channel]:
                    winner[out, channel] = into
    return winner


def with_ties_and_extremes(feats):
    """Round, so that many values are equal, and put NaN and infinities among them."""
    values = feats.mul(2).round()
    return values.where(values.abs() < 3, values.sign() * torch.inf).where(values != 2, torch.nan)


@pytest.mark.parametrize("tile", [1, 3, 10**6])
@given(data=st.data(), num_axes=st.integers(1, 3), submanifold=st.booleans())
def test_the_winner_of_each_window_is_the_first_largest_or_nan(tile, data, num_axes, submanifold):
    x = data.draw(sparse_tensors(num_axes, max_size=4))()
    if submanifold:
        pairs = x.grid.submanifold_map((3,) * num_axes, (1,) * num_axes)
    else:
        kernel = Kernel.of(num_axes, 3, 2, 1)
        pairs = x.grid.map_onto(x.grid.conv_grid(kernel), kernel)
    feats = with_ties_and_extremes(x.feats)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TILE_ROWS", tile)
        found = pair_max(feats, *fields(pairs))
    assert found.dtype == torch.int64
    assert torch.equal(found, winners_one_by_one(feats, pairs))


def test_an_output_without_pairs_has_the_number_past_the_last_input():
    ends = torch.tensor([1]).int(), torch.tensor([2]).int(), torch.tensor([0, 1])
    found = pair_max(torch.zeros(2, 1), *fields(KernelMap(*ends, 2, 4)))
    assert found.tolist() == [[2], [2], [1], [2]]


def test_pairs_in_any_order_give_the_same_winners():
    x = random_tensor((6, 6), channels=2)
    kernel = Kernel.of(2, 3, 2, 1)
    pairs = x.grid.map_onto(x.grid.conv_grid(kernel), kernel)
    bounds = pairs.tap_ptr.tolist()
    order = torch.cat([torch.arange(a, b).flip(0) for a, b in itertools.pairwise(bounds)])
    mixed = KernelMap(
        pairs.in_index[order], pairs.out_index[order], pairs.tap_ptr, pairs.num_in, pairs.num_out,
        monotone=False,
    )  # fmt: skip
    assert torch.equal(pair_max(x.feats, *fields(mixed)), pair_max(x.feats, *fields(pairs)))


def test_the_operator_says_beforehand_what_it_returns():
    x = random_tensor((4, 4), channels=2)
    pairs = x.grid.submanifold_map((3, 3), (1, 1))
    tests = ("test_schema", "test_faketensor")
    torch.library.opcheck(pair_max, (x.feats, *fields(pairs)), test_utils=tests)
