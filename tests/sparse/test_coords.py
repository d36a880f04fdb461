import itertools
from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.coords import (
    check_coords,
    check_sizes,
    coalesce,
    find_keys,
    ravel_coords,
    unravel_coords,
)

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


@given(shapes, st.integers(0, 3))
def test_keys_number_the_cells_in_row_major_order(shape, batch_size):
    cells = list(itertools.product(range(batch_size), *map(range, shape)))
    coords = torch.tensor(cells, dtype=torch.int64).reshape(-1, 1 + len(shape))
    keys = ravel_coords(coords, shape)
    assert keys.tolist() == list(range(len(cells)))
    assert unravel_coords(keys, shape).tolist() == coords.tolist()


def test_keys_of_32_bit_coordinates_do_not_overflow():
    coords = torch.tensor([[1, 2**30, 2**30]], dtype=torch.int32)
    size = 2**30 + 1
    assert ravel_coords(coords, (size, size)).item() == size**2 + 2**30 * size + 2**30


def test_an_axis_of_size_zero_has_no_keys():
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    assert ravel_coords(nothing, (0, 4)).shape == (0,)
    assert unravel_coords(nothing[:, 0], (0, 4)).shape == (0, 3)


@given(st.sets(st.integers(0, 20)), st.lists(st.integers(-2, 22)))
def test_keys_are_found_where_a_dictionary_finds_them(known, queries):
    position = {key: place for place, key in enumerate(sorted(known))}
    found = find_keys(
        torch.tensor(sorted(known), dtype=torch.int64), torch.tensor(queries, dtype=torch.int64)
    )
    assert found.tolist() == [position.get(query, -1) for query in queries]


@given(shapes, st.integers(0, 20), st.integers(0, 99))
def test_coalescing_sums_the_features_of_equal_cells(shape, num_rows, seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, (2, *shape), size=(num_rows, 1 + len(shape)))
    values = rng.normal(size=(num_rows, 2))
    expected = defaultdict(lambda: np.zeros(2))
    for row, value in zip(rows, values, strict=True):
        expected[tuple(row)] += value
    coords, feats = coalesce(torch.from_numpy(rows), torch.from_numpy(values), shape)
    assert [tuple(cell) for cell in coords.tolist()] == sorted(expected)
    for cell, value in zip(coords.tolist(), feats.numpy(), strict=True):
        np.testing.assert_allclose(value, expected[tuple(cell)], atol=1e-12)


def test_the_gradient_of_coalescing_reaches_every_row():
    coords = torch.tensor([[0, 1], [0, 0], [0, 1]])
    feats = torch.ones(3, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda rows: coalesce(coords, rows, (2,))[1], feats)


@pytest.mark.parametrize("wrong", [[0, 0, 2], [0, -1, 0], [-3, 0, 0]])
def test_coalescing_refuses_a_cell_outside_the_grid(wrong):
    coords = torch.tensor([wrong])
    with pytest.raises(InputError, match=r"1 of 1 rows are not; the first is coords\[0\]"):
        coalesce(coords, torch.ones(1, 1), (2, 2))


@pytest.mark.parametrize("wrong", [[0, 3, 0], [0, 0, -1], [1, 0, 0], [-1, 0, 0]])
def test_the_first_coordinate_outside_the_grid_is_named(wrong):
    coords = torch.tensor([[0, 2, 1], wrong, wrong])
    named = rf"below \[1, 3, 2\], but 2 of 3 rows are not; the first is coords\[1\] = \[{wrong[0]},"
    with pytest.raises(InputError, match=named):
        check_coords(coords, (3, 2), 1)


def test_coordinates_on_the_edge_and_no_coordinates_are_right():
    assert check_coords(torch.tensor([[0, 0, 0], [1, 2, 1]]), (3, 2), 2) is None
    assert check_coords(torch.zeros(0, 3, dtype=torch.int64), (0, 0), 0) is None


def test_another_number_of_columns_is_refused():
    with pytest.raises(InputError, match=r"must have 3 columns .* 2 axes.*, but got 2"):
        check_coords(torch.zeros(1, 2, dtype=torch.int64), (3, 2), 1)


@pytest.mark.parametrize(("shape", "batch_size"), [((2**32, 2**31), 1), ((-1, 2), 1), ((2,), -1)])
def test_sizes_that_no_key_can_count_are_refused(shape, batch_size):
    with pytest.raises(InputError, match="must not be negative and must fit 63 bits"):
        check_sizes(shape, batch_size)
    with pytest.raises(InputError, match="split the longest axis"):
        check_coords(torch.zeros(0, 1 + len(shape), dtype=torch.int64), shape, batch_size)


def test_the_largest_grid_has_a_key_for_its_last_cell():
    shape = (2**31 - 1, 2**31)
    check_sizes(shape, 2)
    last = torch.tensor([[1, shape[0] - 1, shape[1] - 1]])
    assert ravel_coords(last, shape).item() == 2 * shape[0] * shape[1] - 1
