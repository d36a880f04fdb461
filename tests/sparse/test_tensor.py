import operator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors, two_grids


@given(st.permutations(range(6)))
def test_cells_in_any_order_are_sorted_with_their_features(order):
    coords = torch.tensor([[0, 0, 2], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 2], [1, 1, 1]])
    feats = torch.arange(6.0).unsqueeze(1)
    x = sparse_tensor(coords[order], feats[order], [2, 3], 2)
    assert x.coords.tolist() == coords.tolist()
    assert x.feats.tolist() == feats.tolist()


def test_coordinates_of_32_bits_become_64():
    coords = torch.tensor([[0, 1]], dtype=torch.int32)
    assert sparse_tensor(coords, torch.ones(1, 1), (2,), 1).coords.dtype == torch.int64


def test_gradients_reach_the_features_in_the_order_they_were_given():
    feats = torch.tensor([[1.0], [2.0]], requires_grad=True)
    x = sparse_tensor(torch.tensor([[0, 1], [0, 0]]), feats, (2,), 1)
    (x.feats * torch.tensor([[10.0], [20.0]])).sum().backward()
    assert feats.grad.tolist() == [[20.0], [10.0]]


def test_a_cell_that_occurs_twice_is_refused_and_named():
    coords = torch.tensor([[0, 1, 1], [0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 0]])
    with pytest.raises(
        InputError,
        match=r"3 rows repeat one; the first are coords\[1\] and coords\[3\] = \[0, 0, 0\]; say",
    ):
        sparse_tensor(coords, torch.ones(5, 1), (2, 2), 1)


def test_a_cell_outside_the_grid_is_refused():
    with pytest.raises(InputError, match=r"the first is coords\[0\] = \[0, 2, 0\]"):
        sparse_tensor(torch.tensor([[0, 2, 0]]), torch.ones(1, 1), (2, 2), 1)


def test_other_numbers_of_cells_and_features_are_refused(unchecked_types):
    coords = torch.tensor([[0, 1], [0, 0]])
    with pytest.raises(InputError, match="one row per cell, but got 3 rows for 2 cells"):
        sparse_tensor(coords, torch.ones(3, 1), (2,), 1)
    x = sparse_tensor(coords, torch.ones(2, 1), (2,), 1)
    with pytest.raises(InputError, match="one row per cell, but got 1 rows for 2 cells"):
        x.with_feats(torch.ones(1, 1))


def test_other_features_share_the_grid():
    x = random_tensor((3, 3))
    other = x.with_feats(2 * torch.cat([x.feats, x.feats], dim=1))
    assert other.grid is x.grid
    assert other.num_channels == 2


@given(st.data())
def test_selecting_keeps_the_cells_of_the_mask(data):
    x = data.draw(sparse_tensors(2, channels=2))()
    mask = data.draw(st.lists(st.booleans(), min_size=len(x.feats), max_size=len(x.feats)))
    some = x.select(torch.tensor(mask, dtype=torch.bool))
    kept = [number for number, keep in enumerate(mask) if keep]
    assert some.coords.tolist() == [x.coords[number].tolist() for number in kept]
    assert some.feats.tolist() == [x.feats[number].tolist() for number in kept]
    assert (some.spatial_shape, some.batch_size) == (x.spatial_shape, x.batch_size)


def test_another_type_keeps_the_grid_and_another_device_moves_it():
    x = random_tensor((3, 3))
    single = x.to(torch.float32)
    assert single.feats.dtype == torch.float32
    assert single.grid is x.grid
    moved = x.to("meta")
    assert moved.feats.device == moved.coords.device == torch.device("meta")


def test_a_tensor_says_its_sizes():
    expected = "SparseTensor(Grid(4 cells, spatial_shape=(2, 2), batch_size=1), 3 channels)"
    assert repr(random_tensor((2, 2), channels=3, density=1.0)) == expected


def test_coordinates_of_any_layout_and_integer_type_are_read_alike():
    coords = torch.tensor([[0, 1, 2], [1, 0, 1], [0, 0, 0]])
    feats = torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
    expected = sparse_tensor(coords, feats, (2, 3), 2)
    column_major = coords.T.contiguous().T
    every_other = torch.stack([coords, coords + 7], dim=1).flatten(0, 1)[::2]
    assert not column_major.is_contiguous()
    assert not every_other.is_contiguous()
    for other in (column_major, every_other, coords.int(), coords.T.int().contiguous().T):
        x = sparse_tensor(other, feats.T.contiguous().T, (2, 3), 2)
        assert x.coords.dtype == torch.int64
        assert torch.equal(x.to_dense(), expected.to_dense())
        found, wanted = (y.grid.submanifold_map((3, 3), (1, 1)) for y in (x, expected))
        assert torch.equal(found.in_index, wanted.in_index)


def test_coordinates_up_to_31_bits_on_two_axes_are_kept_apart():
    last = 2**31 - 1
    coords = torch.tensor([[0, last, last], [0, last, 0], [0, 0, last], [0, last - 1, last]])
    x = sparse_tensor(coords, torch.arange(4.0).unsqueeze(1), (2**31, 2**31), 1)
    assert x.coords.tolist() == [coords[number].tolist() for number in (2, 3, 1, 0)]
    assert x.at(coords).flatten().tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("rule", "expected"), [("sum", 7.0), ("mean", 3.5), ("max", 5.0), ("first", 2.0)]
)
def test_repeated_cells_are_merged_on_request(rule, expected):
    coords = torch.tensor([[0, 1], [0, 0], [0, 1]], dtype=torch.int32)
    feats = torch.tensor([[2.0], [1.0], [5.0]])
    x = sparse_tensor(coords, feats, (2,), 1, on_duplicates=rule)
    assert x.feats.tolist() == [[1.0], [expected]]
    assert x.coords.dtype == torch.int64


def test_nan_is_a_feature_like_any_other():
    x = sparse_tensor(torch.tensor([[0, 1], [0, 0]]), torch.tensor([[torch.nan], [1.0]]), (3,), 1)
    assert x.to_dense().isnan().tolist() == [[[False, True, False]]]
    assert x.at(torch.tensor([[0, 2], [0, 0]])).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("coords", "feats", "message"),
    [
        (torch.zeros(1, 2), torch.ones(1, 1), "signed integers, but got torch.float32"),
        (torch.zeros(1, 2).long(), torch.ones(1, 1).long(), "floating type, but got torch.int64"),
        (np.zeros((1, 2), int), torch.ones(1, 1), "signed integers, but got ndarray"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(unchecked_types, coords, feats, message):
    with pytest.raises(InputTypeError, match=message):
        sparse_tensor(coords, feats, (2,), 1)


def test_sizes_and_rules_that_make_no_grid_are_refused(unchecked_types):
    coords, feats = torch.zeros(1, 2, dtype=torch.int64), torch.ones(1, 1)
    with pytest.raises(InputTypeError, match="one integer per axis"):
        sparse_tensor(coords, feats, (2.5,), 1)
    with pytest.raises(InputError, match=r"must not be negative, but got \(2,\) and -1"):
        sparse_tensor(coords, feats, (2,), -1)
    with pytest.raises(InputError, match=r"below \[0, 2\], but 1 of 1 rows are not"):
        sparse_tensor(coords, feats, (2,), 0)
    with pytest.raises(InputError, match=r"but got 'last'"):
        sparse_tensor(coords, feats, (2,), 1, on_duplicates="last")
    with pytest.raises(InputError, match="one device, but got meta and cpu"):
        sparse_tensor(coords, feats.to("meta"), (2,), 1)


def test_a_mask_that_is_none_is_refused(unchecked_types):
    x = random_tensor((2, 2), density=1.0)
    with pytest.raises(InputTypeError, match=r"of type bool, but got torch.int64"):
        x.select(torch.ones(4, dtype=torch.int64))
    with pytest.raises(InputError, match=r"shape \(4,\), but got \(3,\)"):
        x.select(torch.ones(3, dtype=torch.bool))


@given(st.data(), st.sampled_from([0.0, 0.5, 2.0]))
def test_pruning_leaves_cells_with_a_channel_past_the_threshold(data, threshold):
    x = data.draw(sparse_tensors(2))()
    dense = x.to_dense()
    kept = dense * (dense.abs() > threshold).any(dim=1, keepdim=True)
    pruned = x.prune(threshold)
    assert torch.equal(pruned.to_dense(), kept)
    assert pruned.grid.num_cells == int((kept != 0).any(dim=1).sum())


def test_pruning_keeps_nan_and_takes_zeros():
    feats = torch.tensor([[0.0, torch.nan], [0.0, 0.0], [-3.0, 0.0]])
    x = sparse_tensor(torch.tensor([[0, 0], [0, 1], [0, 2]]), feats, (3,), 1)
    assert x.prune().coords.tolist() == [[0, 0], [0, 2]]
    for wrong in (-1.0, float("nan")):
        with pytest.raises(InputError, match=f"must not be negative, but got {wrong}"):
            x.prune(wrong)


@given(two_grids(), st.integers(0, 2))
def test_features_are_looked_up_as_in_the_dense_tensor(drawn, channels):
    (shape, batch_size, _, *rest), other = drawn
    x, grid = random_tensor(shape, batch_size, channels, *rest), random_tensor(*other).grid
    expected = x.to_dense().movedim(1, -1)[tuple(grid.coords.T)]
    moved = x.onto(grid)
    assert moved.grid is grid
    assert torch.equal(moved.feats, expected)
    twice = torch.cat([grid.coords.flip(0), grid.coords])
    assert torch.equal(x.at(twice), torch.cat([expected.flip(0), expected]))


def test_a_tensor_that_is_on_the_grid_stays_as_it_is():
    x = random_tensor((3, 3))
    assert x.onto(x.grid) is x
    with pytest.raises(InputError, match="one batch_size, but got 1 and 2"):
        x.onto(random_tensor((3, 3), 2).grid)
    with pytest.raises(InputError, match=r"the first is coords\[0\] = \[0, 3, 0\]"):
        x.at(torch.tensor([[0, 3, 0]]))


@given(two_grids(), st.integers(0, 2))
def test_sums_and_products_are_those_of_the_dense_tensors(drawn, channels):
    x, y = (random_tensor(shape, batch, channels, *rest) for shape, batch, _, *rest in drawn)
    cells = [{tuple(cell) for cell in z.coords.tolist()} for z in (x, y)]
    for result, dense, active in (
        (x + y, x.to_dense() + y.to_dense(), cells[0] | cells[1]),
        (x - y, x.to_dense() - y.to_dense(), cells[0] | cells[1]),
        (x * y, x.to_dense() * y.to_dense(), cells[0] & cells[1]),
    ):
        assert torch.equal(result.to_dense(), dense)
        assert {tuple(cell) for cell in result.coords.tolist()} == active
    assert torch.equal((2 * x).to_dense(), 2 * x.to_dense())
    assert torch.equal((x * 0.5).to_dense(), x.to_dense() * 0.5)
    assert torch.equal((-x).to_dense(), -x.to_dense())


def test_sums_on_one_grid_stay_on_it():
    x = random_tensor((3, 3))
    y = x.with_feats(x.feats.square())
    assert (x + y).grid is (x - y).grid is (x * y).grid is (-x).grid is (x * 2).grid is x.grid


def test_gradients_reach_both_sides_of_sums_products_and_look_ups():
    first, second = random_tensor((3, 3), 1, 2, seed=1), random_tensor((3, 3), 1, 2, seed=2)

    def mixed(left, right, scale):
        x, y = first.with_feats(left), second.with_feats(right)
        return ((scale * x - y) * (x + y)).onto(second.grid).feats

    inputs = [x.feats.clone().requires_grad_() for x in (first, second)]
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mixed, (*inputs, scale))
    assert torch.autograd.gradgradcheck(mixed, (*inputs, scale))


def test_tensors_that_do_not_fit_are_not_added(unchecked_types):
    x = random_tensor((3, 3))
    for other, message in (
        (random_tensor((3, 2)), r"one spatial_shape, but got \(3, 3\) and \(3, 2\)"),
        (random_tensor((3, 3), 2), "one batch_size, but got 1 and 2"),
        (random_tensor((3, 3), 1, 2), r"as many channels on both sides, but got 1 and 2"),
        (x.to("meta"), "one device, but got cpu and meta"),
    ):
        for combine in (operator.add, operator.sub, operator.mul):
            with pytest.raises(InputError, match=message):
                combine(x, other)
    for wrong in (1.0, x.feats):
        with pytest.raises(InputTypeError, match=r"x \+ y needs two sparse tensors, but got"):
            x + wrong
