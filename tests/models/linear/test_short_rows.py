import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import IALSConfig
from recsparse.models.linear.als import half_step
from recsparse.models.linear.short_rows import RotatedColumns, padded_rows, short_row_blocks


def solved_densely(dense, columns, config):
    """Each row by its own normal equations, in float64."""
    columns = columns.astype(np.float64)
    frequency = (dense > 0).sum(axis=1) + config.unobserved_weight * len(columns)
    ridge = config.regularisation * frequency**config.frequency_exponent
    prior = config.unobserved_weight * columns.T @ columns
    left = [
        columns.T @ (row[:, None] * columns) + prior + own * np.eye(columns.shape[1])
        for row, own in zip(dense, ridge, strict=True)
    ]
    return np.array(
        [np.linalg.solve(a, columns.T @ row) for a, row in zip(left, dense, strict=True)]
    ).reshape(len(dense), columns.shape[1])


@given(
    lengths=st.lists(st.integers(0, 12), max_size=9),
    factors=st.integers(1, 16),
    empty_weight=st.sampled_from([1e-3, 0.5]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_short_and_long_rows_minimise_their_objectives(lengths, factors, empty_weight, dtype, seed):
    rng = np.random.default_rng(seed)
    dense = np.zeros((len(lengths), 12), dtype=dtype)
    for row, length in zip(dense, lengths, strict=True):
        row[rng.choice(12, length, replace=False)] = rng.uniform(0.1, 3, length)
    columns = rng.standard_normal((12, factors)).astype(dtype)
    config = IALSConfig(factors=factors, unobserved_weight=empty_weight, regularisation=0.2)
    found = half_step(csr_matrix(dense), torch.from_numpy(columns), config)
    assert found.dtype == torch.from_numpy(columns).dtype
    expected = solved_densely(dense, columns, config)
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-3, atol=1e-4)


def test_next_to_no_regularisation_is_solved_in_twice_the_digits():
    vectors = np.random.default_rng(0).standard_normal((9, 8)).astype(np.float32)
    vectors[1] = vectors[0]
    dense = np.eye(3, 9, dtype=np.float32)
    dense[0, :2] = 1
    config = IALSConfig(factors=8, unobserved_weight=1e-9, regularisation=1e-7)
    found = half_step(csr_matrix(dense), torch.from_numpy(vectors), config)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, solved_densely(dense, vectors, config), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("ridge", "largest", "suits"), [(1e-2, 1.0, True), (1e-9, 1.0, False), (1e-2, 1e6, False)]
)
def test_systems_suit_unless_ridges_are_next_to_nothing(ridge, largest, suits):
    rotated = RotatedColumns.of(torch.eye(2), torch.diag(torch.tensor([largest, 0.0])))
    assert rotated.suits(torch.full((3,), ridge)) is suits


def test_cells_of_weight_zero_add_nothing():
    columns = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 8))).float()
    config = IALSConfig(factors=8, unobserved_weight=0.1, regularisation=0.2)
    with_zero = csr_matrix((np.array([1.0, 0.0]), ([0, 0], [1, 3])), shape=(1, 5))
    # A cell counts in the regularisation, whatever it weighs.
    exact = half_step(with_zero.astype(np.float64), columns.double(), config)
    found = half_step(with_zero.astype(np.float32), columns, config)
    torch.testing.assert_close(found, exact.float(), rtol=1e-4, atol=1e-5)


def test_blocks_hold_each_row_with_cells_once_and_rows_of_like_lengths():
    length = np.random.default_rng(0).integers(0, 90, 3_000)
    blocks = [*short_row_blocks(length, 128)]
    assert sorted(np.concatenate(blocks).tolist()) == np.flatnonzero(length).tolist()
    assert all(length[some].max() < 2 * length[some].min() + 1 for some in blocks)


def test_padded_rows_end_in_the_column_past_the_last_one():
    rows = csr_matrix(np.array([[0, 2, 0], [0, 0, 0], [1, 0, 3]], dtype=np.float32))
    cells, weights = padded_rows(rows, np.array([2, 0]))
    assert cells.tolist() == [[0, 2], [1, 3]]
    assert weights.tolist() == [[1, 3], [2, 0]]
