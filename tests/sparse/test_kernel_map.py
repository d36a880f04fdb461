import itertools
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.kernel import Kernel
from recsparse.sparse.kernel_map import KernelMap, kernel_map_between, submanifold_kernel_map
from tests.oracles import Window
from tests.random_grids import random_tensor, sparse_tensors

pytestmark = pytest.mark.usefixtures("conv_path")


@st.composite
def maps(draw):
    """Draw how to make a tensor, and a kernel size and a dilation for each of its axes."""
    num_axes = draw(st.integers(1, 3))
    make = draw(sparse_tensors(num_axes, channels=1, max_size=4))
    kernel_size = draw(st.tuples(*[st.sampled_from([1, 3, 5])] * num_axes))
    dilation = draw(st.tuples(*[st.integers(1, 3)] * num_axes))
    return make, kernel_size, dilation


def pairs_by_dictionary(x, kernel_size, dilation):
    """Return, for each tap, the pairs (input cell, output cell) that a dictionary finds."""
    row = {tuple(cell): number for number, cell in enumerate(x.coords.tolist())}
    taps = []
    for tap in itertools.product(*map(range, kernel_size)):
        pairs = set()
        for (sample, *place), out in row.items():
            moved = [
                p + step * (t - (size - 1) // 2)
                for p, t, size, step in zip(place, tap, kernel_size, dilation, strict=True)
            ]
            if (sample, *moved) in row:
                pairs.add((row[sample, *moved], out))
        taps.append(pairs)
    return taps


def pairs_of(kernel_map):
    return [
        list(zip(*(ends.tolist() for ends in kernel_map.tap(tap)), strict=True))
        for tap in range(kernel_map.num_taps)
    ]


@given(maps())
def test_each_tap_joins_the_cells_that_a_dictionary_joins(case):
    make, kernel_size, dilation = case
    x = make()
    kernel_map = submanifold_kernel_map(x.coords, x.spatial_shape, kernel_size, dilation)
    found = pairs_of(kernel_map)
    assert [set(pairs) for pairs in found] == pairs_by_dictionary(x, kernel_size, dilation)
    assert [len(pairs) for pairs in found] == [len(set(pairs)) for pairs in found]
    assert kernel_map.num_in == kernel_map.num_out == len(x.coords)


@given(maps())
def test_under_one_tap_no_output_cell_occurs_twice(case):
    make, kernel_size, dilation = case
    x = make()
    for pairs in pairs_of(
        submanifold_kernel_map(x.coords, x.spatial_shape, kernel_size, dilation).transpose()
    ):
        assert len({out for _, out in pairs}) == len(pairs)


@given(maps())
def test_the_transposed_map_swaps_the_ends_of_every_pair(case):
    make, kernel_size, dilation = case
    x = make()
    kernel_map = submanifold_kernel_map(x.coords, x.spatial_shape, kernel_size, dilation)
    swapped = [[(into, out) for out, into in pairs] for pairs in pairs_of(kernel_map)]
    assert pairs_of(kernel_map.transpose()) == swapped


def map_of(*pairs, **options):
    """Return a map of one tap with these pairs."""
    into, onto = torch.tensor(pairs, dtype=torch.int32).reshape(-1, 2).T
    return KernelMap(into, onto, torch.tensor([0, len(pairs)]), num_in=2, num_out=5, **options)


def test_transposing_exchanges_the_numbers_of_cells_and_keeps_the_kind():
    transposed = map_of((1, 0), monotone=False).transpose()
    assert (transposed.num_in, transposed.num_out, transposed.monotone) == (5, 2, False)
    assert pairs_of(transposed) == [[(0, 1)]]


def test_only_the_centre_of_a_full_grid_is_the_identity():
    x = random_tensor((3, 3), density=1.0)
    kernel_map = submanifold_kernel_map(x.coords, x.spatial_shape, (3, 3), (1, 1))
    assert [kernel_map.is_identity(tap) for tap in range(9)] == [tap == 4 for tap in range(9)]


def test_a_map_of_all_cells_onto_other_cells_is_no_identity():
    assert not map_of((0, 1), (1, 0), monotone=False).is_identity(0)
    assert not map_of((0, 0), (1, 1)).is_identity(0)


@given(maps())
def test_a_submanifold_map_stores_the_taps_before_the_centre_for_all(case):
    make, kernel_size, dilation = case
    x = make()
    kernel_map = submanifold_kernel_map(x.coords, x.spatial_shape, kernel_size, dilation)
    sizes = [len(pairs) for pairs in pairs_by_dictionary(x, kernel_size, dilation)]
    assert kernel_map.pairs_per_tap == sizes
    assert kernel_map.num_pairs == sum(sizes)
    stored = (sum(sizes) - len(x.coords)) // 2
    assert len(kernel_map.in_index) == len(kernel_map.out_index) == stored
    assert kernel_map.num_bytes == 4 * 2 * stored + 8 * (prod(kernel_size) // 2 + 1)


def test_cells_at_opposite_edges_and_in_other_samples_are_no_neighbours():
    # Row-major keys of (0, 2) and (1, 0) differ by one, as those of two samples' edges do.
    coords = torch.tensor([[0, 0, 2], [0, 1, 0], [1, 0, 0]])
    assert submanifold_kernel_map(coords, (2, 3), (1, 3), (1, 1)).pairs_per_tap == [0, 3, 0]


def test_a_dilation_wider_than_the_grid_leaves_the_centre():
    x = random_tensor((4, 4), density=1.0)
    kernel_map = submanifold_kernel_map(x.coords, x.spatial_shape, (3, 3), (4, 2**40))
    assert kernel_map.pairs_per_tap == [0, 0, 0, 0, 16, 0, 0, 0, 0]


@given(st.data(), st.integers(1, 3))
def test_a_map_between_grids_joins_the_cells_that_a_dictionary_joins(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, channels=1, max_size=4, batch_size=2))()
    numbers = [st.tuples(*[st.integers(low, 3)] * num_axes) for low in (1, 1, 0, 1)]
    window = Window(*(data.draw(numbers_of_setting) for numbers_of_setting in numbers))
    cells = random_tensor(window.out_shape(x.spatial_shape), 2, seed=1).coords
    kernel = Kernel(window.size, window.stride, window.padding, window.dilation)
    kernel_map = kernel_map_between(x.coords, cells, x.spatial_shape, kernel)
    row = {tuple(cell): number for number, cell in enumerate(x.coords.tolist())}
    expected = [[] for _ in range(prod(window.size))]
    for out, (sample, *place) in enumerate(cells.tolist()):
        for tap, read in enumerate(window.places_read(place)):
            if (sample, *read) in row:
                expected[tap].append((row[sample, *read], out))
    assert pairs_of(kernel_map) == expected
    assert (kernel_map.num_in, kernel_map.num_out) == (len(x.coords), len(cells))
    assert not kernel_map.symmetric


@given(maps())
def test_under_each_tap_both_ends_rise(case):
    make, kernel_size, dilation = case
    x = make()
    own = submanifold_kernel_map(x.coords, x.spatial_shape, kernel_size, dilation)
    kernel = Kernel.of(len(kernel_size), kernel_size, 2, 1, dilation)
    other = kernel_map_between(x.coords, x.grid.conv_grid(kernel).coords, x.spatial_shape, kernel)
    for kernel_map in (own, own.transpose(), other, other.transpose()):
        assert kernel_map.monotone
        for tap in range(kernel_map.num_taps):
            assert all((ends.diff() > 0).all() for ends in kernel_map.tap(tap))


@pytest.mark.parametrize(
    ("kernel_size", "dilation", "message"),
    [
        ((3, 2), (1, 1), r"must be odd on each axis.* but got \(3, 2\); use the next odd size"),
        ((-1, 3), (1, 1), r"must be odd on each axis.* but got \(-1, 3\)"),
        ((3, 3), (1, 0), r"dilation must be at least 1 on each axis, but got \(1, 0\)"),
        ((3,), (1,), r"kernel_size must have one entry for each of 2 axes .* but got \(3,\)"),
        ((3, 3), (1,), r"dilation must have one entry for each of 2 axes, but got \(1,\)"),
    ],
)
def test_a_kernel_that_does_not_fit_is_refused(kernel_size, dilation, message):
    with pytest.raises(InputError, match=message):
        submanifold_kernel_map(torch.zeros(1, 3, dtype=torch.int64), (2, 2), kernel_size, dilation)
