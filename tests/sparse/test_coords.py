import itertools
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.coords import (
    check_coords,
    check_feats,
    check_sizes,
    find_keys,
    ravel_coords,
    unravel_coords,
    whole_sizes,
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


@pytest.mark.parametrize("wrong", [[0, 3, 0], [0, 0, -1], [1, 0, 0], [-1, 0, 0]])
def test_the_first_coordinate_outside_the_grid_is_named(wrong):
    coords = torch.tensor([[0, 2, 1], wrong, wrong])
    named = rf"below \[1, 3, 2\], but 2 of 3 rows are not; the first is coords\[1\] = \[{wrong[0]},"
    with pytest.raises(InputError, match=named):
        check_coords(coords, (3, 2), 1)


def test_coordinates_on_the_edge_and_no_coordinates_are_right():
    assert check_coords(torch.tensor([[0, 0, 0], [1, 2, 1]]), (3, 2), 2) is None
    assert check_coords(torch.zeros(0, 3, dtype=torch.int64), (0, 0), 0) is None


@pytest.mark.parametrize("shape", [(1, 2), (3,), (2, 3, 1)])
def test_coordinates_that_are_no_table_of_the_right_width_are_refused(unchecked_types, shape):
    found = re.escape(f"3 columns (the sample, then 2 axes), but got shape {shape}")
    with pytest.raises(InputError, match=found):
        check_coords(torch.zeros(shape, dtype=torch.int64), (3, 2), 1)


@pytest.mark.parametrize("wrong", [torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.uint8)])
def test_coordinates_that_are_no_integers_are_refused(unchecked_types, wrong):
    with pytest.raises(InputTypeError, match=rf"of signed integers, but got {wrong.dtype}; mend"):
        check_coords(wrong, (3,), 1)
    with pytest.raises(TypeError, match=r"but got ndarray; mend it by torch.as_tensor"):
        check_coords(wrong.numpy(), (3,), 1)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_every_signed_integer_is_a_coordinate(dtype):
    coords = torch.tensor([[0, 2], [1, 1]], dtype=dtype)
    assert check_coords(coords, (3,), 2) is None
    with pytest.raises(InputError, match=r"coords\[0\] = \[0, 2\]"):
        check_coords(coords, (2,), 2)


def test_rows_too_many_and_too_few_are_named(unchecked_types):
    coords = torch.zeros(2, 2, dtype=torch.int64)
    with pytest.raises(InputError, match=r"got 3 rows for 2 cells; .* left over is feats\[2\]"):
        check_feats(torch.ones(3, 1), coords)
    with pytest.raises(InputError, match=r"got 1 rows for 2 cells; .* left over is coords\[1\]"):
        check_feats(torch.ones(1, 1), coords)


def test_features_of_another_type_shape_or_device_are_refused(unchecked_types):
    coords = torch.zeros(2, 2, dtype=torch.int64)
    with pytest.raises(InputTypeError, match=r"floating type, but got torch.int64; mend it by"):
        check_feats(torch.ones(2, 1, dtype=torch.int64), coords)
    with pytest.raises(TypeError, match=r"floating type, but got list; mend it by"):
        check_feats([[1.0], [2.0]], coords)
    with pytest.raises(InputError, match=r"got shape \(2,\); mend .* feats.reshape\(-1, 1\)"):
        check_feats(torch.ones(2), coords)
    with pytest.raises(InputError, match=r"one device, but got meta and cpu; move one by .to"):
        check_feats(torch.ones(2, 1, device="meta"), coords)


@pytest.mark.parametrize(("shape", "batch_size"), [((-1, 2), 1), ((2,), -1), ((0, -2), 0)])
def test_negative_sizes_are_refused(shape, batch_size):
    found = re.escape(f"must not be negative, but got {shape} and {batch_size}")
    with pytest.raises(InputError, match=found):
        check_sizes(shape, batch_size)
    with pytest.raises(InputError, match=found):
        check_coords(torch.zeros(0, 1 + len(shape), dtype=torch.int64), shape, batch_size)


@pytest.mark.parametrize(
    ("shape", "batch_size", "message"),
    [
        ((2**31, 2**32), 1, "takes 64; split axis 1 into ranges"),
        ((2**31, 10, 2**31), 4, "takes 68; split axis 0 into ranges"),
        ((2**31,) * 4, 1, "takes 125; split axis 0 and axis 1 into ranges"),
        ((2, 3), 2**62, "takes 65; split the batch into ranges"),
    ],
)
def test_sizes_that_no_key_can_count_are_refused_and_the_axes_to_split_named(
    shape, batch_size, message
):
    with pytest.raises(InputError, match=f"must fit 63 bits, but {message}"):
        check_sizes(shape, batch_size)
    with pytest.raises(InputError, match="must fit 63 bits"):
        check_coords(torch.zeros(0, 1 + len(shape), dtype=torch.int64), shape, batch_size)


def test_integers_of_numpy_are_sizes_and_fractions_are_not(unchecked_types):
    found = whole_sizes(np.array([2**31, 2**31]), np.int32(2))
    assert found == ((2**31, 2**31), 2)
    assert all(type(size) is int for size in [*found[0], found[1]])
    for shape, batch_size in (((2.0,), 1), ((2,), 1.5), (3, 1)):
        with pytest.raises(InputTypeError, match="must hold one integer per axis"):
            whole_sizes(shape, batch_size)
    with pytest.raises(InputError, match=r"at least one axis, but got \(\)"):
        whole_sizes((), 1)


def test_the_largest_grid_has_a_key_for_its_last_cell():
    shape = (2**31 - 1, 2**31)
    check_sizes(shape, 2)
    last = torch.tensor([[1, shape[0] - 1, shape[1] - 1]])
    assert ravel_coords(last, shape).item() == 2 * shape[0] * shape[1] - 1
