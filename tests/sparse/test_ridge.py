import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse.ridge import ridge_pool


def random_problem(lengths, channels, seed):
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(sum(lengths), channels, generator=generator, dtype=torch.float64)
    weights = torch.rand(sum(lengths), generator=generator, dtype=torch.float64)
    prior = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    ridge = 0.5 + torch.rand(len(lengths), generator=generator, dtype=torch.float64)
    return feats, weights, torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int64), prior, ridge


@given(st.lists(st.integers(0, 6), max_size=5), st.integers(0, 4), st.integers(0, 99))
def test_each_row_solves_its_own_normal_equations(lengths, channels, seed):
    feats, weights, ptr, prior, ridge = random_problem(lengths, channels, seed)
    gram = prior.T @ prior
    pooled = ridge_pool(feats, weights, ptr, gram, ridge)
    assert pooled.shape == (len(lengths), channels)
    for row, (start, end) in enumerate(itertools.pairwise(ptr)):
        h, w = feats[start:end].numpy(), weights[start:end].numpy()
        left = (h.T * w) @ h + gram.numpy() + ridge[row].item() * np.eye(channels)
        np.testing.assert_allclose(pooled[row], np.linalg.solve(left, h.T @ w), atol=1e-9)


def test_a_row_without_cells_is_zero():
    gram, ridge = torch.eye(2), torch.ones(2)
    pooled = ridge_pool(torch.ones(1, 2), torch.ones(1), torch.tensor([0, 0, 1]), gram, ridge)
    # (1 1^T + I + I)^-1 1 = 1 / (2 + 2)
    torch.testing.assert_close(pooled, torch.tensor([[0.0, 0.0], [1 / 4, 1 / 4]]))


@pytest.mark.parametrize("lengths", [[0], [1], [3, 0, 5]])
def test_the_gradient_of_every_argument_equals_finite_differences(lengths):
    feats, weights, ptr, prior, ridge = random_problem(lengths, 3, 0)
    inputs = [part.requires_grad_() for part in (feats, weights, prior, ridge)]

    def solve(feats, weights, prior, ridge):
        # Only symmetric matrices are allowed, so the differences are taken through one.
        return ridge_pool(feats, weights, ptr, prior.T @ prior, ridge)

    assert torch.autograd.gradcheck(solve, inputs)
    assert torch.autograd.gradgradcheck(solve, inputs)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_solved_in_float32(dtype, autocast):
    feats, weights, ptr, prior, ridge = random_problem([2, 0, 5], 3, 0)
    gram = prior.T @ prior
    low = [part.to(dtype).requires_grad_() for part in (feats, weights, gram, ridge)]
    wide = [part.detach().float().requires_grad_() for part in low]
    expected = ridge_pool(wide[0], wide[1], ptr, *wide[2:])
    with torch.autocast("cpu", dtype, enabled=autocast):
        pooled = ridge_pool(low[0], low[1], ptr, *low[2:])
        found = torch.autograd.grad(pooled.sum(), low)
    assert pooled.dtype == dtype
    # Rounded once, at the end.
    assert torch.equal(pooled, expected.to(dtype))
    for ours, exact in zip(found, torch.autograd.grad(expected.sum(), wide), strict=True):
        torch.testing.assert_close(ours, exact.to(dtype))


def test_the_gradient_of_the_prior_is_symmetric():
    feats, weights, ptr, prior, ridge = random_problem([2, 3], 3, 1)
    gram = (prior.T @ prior).requires_grad_()
    ridge_pool(feats, weights, ptr, gram, ridge)[:, 0].sum().backward()
    assert gram.grad.abs().sum() > 0
    assert torch.equal(gram.grad, gram.grad.T)


def test_arguments_are_not_changed():
    feats, weights, ptr, prior, ridge = random_problem([2, 0, 3], 2, 0)
    given_parts = [feats, weights, ptr, prior.T @ prior, ridge]
    before = [part.clone() for part in given_parts]
    ridge_pool(*given_parts)
    for part, copy in zip(given_parts, before, strict=True):
        assert torch.equal(part, copy)


@pytest.mark.parametrize(
    ("feats", "weights", "ridge"),
    [
        ([[1.0, 0.0], [1.0, 1.0]], [1.0, 1.0], [1.0, 0.0]),
        ([[1.0, 0.0], [1.0, 1.0]], [1.0, -9.0], [1.0, 1.0]),
        ([[1.0, 0.0], [torch.nan, 1.0]], [1.0, 1.0], [1.0, 1.0]),
        ([[1.0, 0.0], [torch.inf, 1.0]], [1.0, 1.0], [1.0, 1.0]),
        ([[1.0, 0.0], [1.0, 1.0]], [1.0, 1.0], [1.0, torch.inf]),
        ([[1.0], [torch.inf]], [1.0, 1.0], [1.0, 1.0]),
    ],
    ids=["no ridge", "negative weight", "nan", "infinity", "infinite ridge", "infinite channel"],
)
def test_a_row_without_a_unique_solution_is_named(feats, weights, ridge):
    with pytest.raises(InputError, match="1 of 2 are not; the first is that of row 1; raise its"):
        ridge_pool(
            torch.tensor(feats),
            torch.tensor(weights),
            torch.tensor([0, 1, 2]),
            torch.zeros(len(feats[0]), len(feats[0])),
            torch.tensor(ridge),
        )
