from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.repeated_cells import coalesce

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "first": lambda rows, axis: rows[0]}


@pytest.mark.parametrize("reduce", list(REDUCTIONS))
@given(shape=shapes, num_rows=st.integers(0, 20), seed=st.integers(0, 99))
def test_coalescing_makes_one_cell_of_equal_ones(shape, num_rows, seed, reduce):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, (2, *shape), size=(num_rows, 1 + len(shape)))
    values = rng.normal(size=(num_rows, 2))
    together = defaultdict(list)
    for row, value in zip(rows, values, strict=True):
        together[tuple(row)].append(value)
    coords, feats = coalesce(torch.from_numpy(rows), torch.from_numpy(values), shape, reduce)
    assert [tuple(cell) for cell in coords.tolist()] == sorted(together)
    for cell, value in zip(coords.tolist(), feats.numpy(), strict=True):
        expected = REDUCTIONS[reduce](together[tuple(cell)], axis=0)
        np.testing.assert_allclose(value, expected, atol=1e-12)


@pytest.mark.parametrize("reduce", list(REDUCTIONS))
def test_the_gradient_of_coalescing_reaches_every_row_that_counts(reduce):
    coords = torch.tensor([[0, 1], [0, 0], [0, 1]])
    feats = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64, requires_grad=True)

    def squares(rows):
        return coalesce(coords, rows, (2,), reduce)[1].square()

    assert torch.autograd.gradcheck(squares, feats)
    assert torch.autograd.gradgradcheck(squares, feats)


@pytest.mark.parametrize(
    ("reduce", "expected"), [("sum", True), ("mean", True), ("max", True), ("first", False)]
)
def test_nan_makes_its_own_cell_nan_and_no_other(reduce, expected):
    coords = torch.tensor([[0, 1], [0, 0], [0, 1], [0, 0]])
    feats = torch.tensor([[1.0], [2.0], [torch.nan], [2.0]])
    found = coalesce(coords, feats, (2,), reduce)[1].isnan().flatten().tolist()
    assert found == [False, expected]


def test_an_unknown_way_to_coalesce_is_refused(unchecked_types):
    with pytest.raises(InputError, match="must be one of sum, mean, max, first, but got 'last'"):
        coalesce(torch.zeros(1, 2, dtype=torch.int64), torch.ones(1, 1), (2,), "last")


@pytest.mark.parametrize("wrong", [[0, 0, 2], [0, -1, 0], [-3, 0, 0]])
def test_coalescing_refuses_a_cell_outside_the_grid(wrong):
    coords = torch.tensor([wrong])
    with pytest.raises(InputError, match=r"1 of 1 rows are not; the first is coords\[0\]"):
        coalesce(coords, torch.ones(1, 1), (2, 2))
