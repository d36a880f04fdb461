import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.sorted_pairs import sorted_by_output, tile_bounds
from tests.random_grids import random_tensor


@st.composite
def maps(draw):
    """Draw the pairs of each tap, in any order."""
    num_out = draw(st.integers(1, 6))
    pair = st.tuples(st.integers(0, 5), st.integers(0, num_out - 1))
    return num_out, draw(st.lists(st.lists(pair, max_size=12), min_size=1, max_size=4))


@given(maps())
def test_sorting_by_output_keeps_the_pairs_of_each_tap_and_the_order_of_equals(case):
    num_out, taps = case
    pairs = [pair for tap in taps for pair in tap]
    into, onto = torch.tensor(pairs, dtype=torch.int32).reshape(-1, 2).T
    tap_ptr = torch.tensor([0, *torch.tensor([len(tap) for tap in taps]).cumsum(0)])
    kernel_map = sorted_by_output(KernelMap(into, onto, tap_ptr, 6, num_out, monotone=False))
    assert (kernel_map.num_in, kernel_map.num_out, kernel_map.monotone) == (6, num_out, False)
    for number, tap in enumerate(taps):
        found = list(zip(*(ends.tolist() for ends in kernel_map.tap(number)), strict=True))
        assert found == sorted(tap, key=lambda pair: pair[1])


def test_a_map_that_rises_is_sorted_already():
    kernel_map = random_tensor((4, 4)).grid.submanifold_map((3, 3), (1, 1))
    assert sorted_by_output(kernel_map) is kernel_map


@given(maps(), st.integers(1, 7))
def test_between_the_bounds_of_a_tile_are_the_pairs_of_its_output_cells(case, rows):
    num_out, taps = case
    pairs = [pair for tap in taps for pair in tap]
    into, onto = torch.tensor(pairs, dtype=torch.int32).reshape(-1, 2).T
    tap_ptr = torch.tensor([0, *torch.tensor([len(tap) for tap in taps]).cumsum(0)])
    ordered = sorted_by_output(KernelMap(into, onto, tap_ptr, 6, num_out, monotone=False))
    for tap, bounds in zip(taps, tile_bounds(ordered, rows), strict=True):
        ends = sorted(pair[1] for pair in tap)
        for tile, start in enumerate(range(0, num_out, rows)):
            found = ends[bounds[tile] : bounds[tile + 1]]
            assert found == [end for end in ends if start <= end < start + rows]
