import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.models.ratings.row_posteriors import row_posteriors
from recsparse.testing import log_of


def problem(num_rows, num_columns, width, seed=0):
    rng = np.random.default_rng(seed)
    rows = csr_matrix(log_of(num_rows, num_columns, seed) * 1.0, dtype=np.float64)
    rows.data -= 1.0
    columns, mean = rng.standard_normal((num_columns, width)), rng.standard_normal((1, width))
    root = rng.standard_normal((width, width))
    return rows, columns, mean, root @ root.T + np.eye(width)


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 5), st.integers(0, 99))
def test_means_are_those_of_the_normal_equations(num_rows, num_columns, width, seed):
    rows, columns, mean, precision = problem(num_rows, num_columns, width, seed)
    found = row_posteriors(
        rows, *(torch.from_numpy(part) for part in (columns, mean, precision)), 2.5
    )
    for row in range(num_rows):
        h, y = columns[rows[row].indices], rows[row].data
        left = precision + 2.5 * h.T @ h
        expected = np.linalg.solve(left, precision @ mean[0] + 2.5 * h.T @ y)
        np.testing.assert_allclose(found[row], expected, atol=1e-8)


def test_samples_have_the_mean_and_the_covariance_of_the_posterior():
    rows, columns, mean, precision = problem(1, 6, 3)
    many = csr_matrix(np.repeat(rows.toarray() + 2, 20_000, axis=0))
    parts = [torch.from_numpy(part) for part in (columns, mean, precision)]
    noise = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples = row_posteriors(many, *parts, 0.7, noise).numpy()
    covariance = np.linalg.inv(precision + 0.7 * columns.T @ columns)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.02)
    expected = row_posteriors(many[:1], *parts, 0.7).numpy()[0]
    np.testing.assert_allclose(samples.mean(axis=0), expected, atol=0.02)


def test_an_empty_row_has_its_own_prior_mean():
    _, columns, _, precision = problem(2, 5, 3)
    means = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    parts = torch.from_numpy(columns), means, torch.from_numpy(precision)
    torch.testing.assert_close(row_posteriors(csr_matrix((2, 5)), *parts, 1.0), means)


@pytest.mark.parametrize("num_rows", [0, 30_000])
def test_there_may_be_no_rows_or_more_than_are_solved_at_once(num_rows):
    _, columns, mean, precision = problem(2, 5, 3)
    rows = csr_matrix((np.arange(num_rows) % 4, (np.arange(num_rows), np.arange(num_rows) % 5)),
                      shape=(num_rows, 5), dtype=np.float64)  # fmt: skip
    parts = [torch.from_numpy(part) for part in (columns, mean, precision)]
    found = row_posteriors(rows, *parts, 1.0)
    assert found.shape == (num_rows, 3)
    if num_rows:
        torch.testing.assert_close(found[-1:], row_posteriors(rows[-1:], *parts, 1.0))
