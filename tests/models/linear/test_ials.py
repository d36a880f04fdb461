import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import IALSConfig
from recsparse.errors import InputError
from recsparse.models.linear.als import als_factors, half_step, with_empty_weight
from recsparse.models.linear.ials import IALS
from recsparse.testing import PersonalConformance, fitted, log_of

SMALL = IALSConfig(factors=4, regularisation=0.1, unobserved_weight=0.3)


class TestIALS(PersonalConformance):
    config = SMALL


class TestIALSWithOneRegularisation(PersonalConformance):
    config = IALSConfig(
        factors=3, regularisation=0.5, frequency_exponent=0.0, iterations=5, unobserved_weight=0.3
    )


class TestIALSThatWeighsEmptyCellsByDensity(PersonalConformance):
    config = IALSConfig(factors=4, regularisation=0.1)


def test_an_empty_cell_weighs_ten_times_the_share_of_active_ones():
    log = csr_matrix(np.diag([1.0, 2.0, 0.5]))
    open_config = IALSConfig(factors=2)
    known = with_empty_weight(open_config, log)
    assert known == IALSConfig(factors=2, unobserved_weight=10 * 3 / 9)
    assert with_empty_weight(SMALL, log) == SMALL
    fits = [IALS(config).fit(log).item_factors for config in (open_config, known)]
    assert torch.equal(*fits)


def test_a_step_needs_the_weight_of_an_empty_cell():
    with pytest.raises(InputError, match=r"needs config\.unobserved_weight, but it is None"):
        half_step(log_of(), torch.zeros(12, 4), IALSConfig(factors=4))


def solved_row_by_row(dense, columns, config):
    """The minimum of each row's own objective, as one dense least-squares problem a row.

    Every cell is a row of the problem, weighted by the root of its weight: an observed one wants
    1, all of them want 0, and the vector itself wants 0.
    """
    num_columns, factors = columns.shape
    solved = np.zeros((len(dense), factors))
    for r, row in enumerate(dense):
        frequency = (row > 0).sum() + config.unobserved_weight * num_columns
        ridge = config.regularisation * frequency**config.frequency_exponent
        left = np.concatenate(
            [
                np.sqrt(row)[:, None] * columns,
                np.sqrt(config.unobserved_weight) * columns,
                np.sqrt(ridge) * np.eye(factors),
            ]
        )
        right = np.concatenate([np.sqrt(row), np.zeros(num_columns + factors)])
        solved[r] = np.linalg.lstsq(left, right, rcond=None)[0]
    return solved


def objective(dense, users, items, config):
    """What iALS minimises, over all cells."""
    product = users @ items.T
    loss = (dense * (product - 1) ** 2).sum() + config.unobserved_weight * (product**2).sum()
    for own, vectors, others in ((dense, users, len(items)), (dense.T, items, len(users))):
        frequency = (own > 0).sum(axis=1) + config.unobserved_weight * others
        ridge = config.regularisation * frequency**config.frequency_exponent
        loss += (ridge * (vectors**2).sum(axis=1)).sum()
    return loss


@given(
    st.integers(0, 6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.7, 1.0]),
    st.integers(0, 99),
)
def test_a_half_step_minimises_the_objective_of_each_row(rows, columns, factors, exponent, seed):
    rng = np.random.default_rng(seed)
    dense = (rng.random((rows, columns)) * 3 * (rng.random((rows, columns)) < 0.5)).astype("f4")
    vectors = rng.normal(size=(columns, factors))
    config = IALSConfig(
        unobserved_weight=0.3, factors=factors, regularisation=0.2, frequency_exponent=exponent
    )
    solved = half_step(csr_matrix(dense), torch.from_numpy(vectors), config)
    np.testing.assert_allclose(solved, solved_row_by_row(dense, vectors, config), atol=1e-6)


def test_more_rows_than_are_solved_at_once_change_nothing():
    rng = np.random.default_rng(0)
    dense = (rng.random((150, 8)) < 0.3).astype(np.float32)
    vectors = torch.from_numpy(rng.normal(size=(8, 64)))
    config = IALSConfig(unobserved_weight=0.3, regularisation=0.5)
    whole = half_step(csr_matrix(dense), vectors, config)
    one_by_one = [half_step(csr_matrix(row[None]), vectors, config) for row in dense]
    torch.testing.assert_close(whole, torch.cat(one_by_one))


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_the_objective_falls_with_every_iteration(exponent):
    dense = log_of().toarray()
    losses = []
    for iterations in range(1, 8):
        config = IALSConfig(
            unobserved_weight=0.3,
            factors=4,
            regularisation=0.1,
            frequency_exponent=exponent,
            iterations=iterations,
        )
        users, items = als_factors(log_of(), config, seed=0)
        losses.append(objective(dense, users.double().numpy(), items.double().numpy(), config))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_at_the_end_both_sides_are_the_best_for_each_other():
    config = SMALL.model_copy(update={"iterations": 200})
    dense = log_of().toarray()
    users, items = (part.numpy() for part in als_factors(log_of(), config, seed=0))
    np.testing.assert_allclose(items, solved_row_by_row(dense.T, users, config), atol=1e-4)
    np.testing.assert_allclose(users, solved_row_by_row(dense, items, config), atol=1e-3)


def test_scores_are_products_with_the_users_own_solution():
    model = fitted(SMALL)
    items = model.item_factors.double().numpy()
    rows = log_of(seed=9)
    users = solved_row_by_row(rows.toarray(), items, SMALL)
    np.testing.assert_allclose(model.score_batch(rows), users @ items.T, atol=1e-4)


def test_the_seed_decides_the_factors():
    same, again, other = (als_factors(log_of(), SMALL, seed)[1] for seed in (1, 1, 2))
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_without_a_context_the_seed_is_zero():
    model = IALS(SMALL).fit(log_of())
    assert torch.equal(model.item_factors, als_factors(log_of(), SMALL, seed=0)[1])


@pytest.mark.filterwarnings("ignore:OpenBLAS is configured")
def test_the_user_step_is_that_of_the_implicit_library():
    """There an observed cell of confidence c adds c to the right side, and here c − 1 = w.

    So for equal weights the vectors of `implicit` are longer by the factor c / (c − 1).
    """
    weight, ridge, factors = 2.0, 0.7, 5
    rng = np.random.default_rng(0)
    cells = csr_matrix((rng.random((12, 9)) < 0.4).astype(np.float32) * weight)
    items = torch.from_numpy(rng.standard_normal((9, factors)).astype(np.float32))
    config = IALSConfig(
        factors=factors, unobserved_weight=1.0, regularisation=ridge, frequency_exponent=0.0
    )
    peer = AlternatingLeastSquares(factors=factors, regularization=ridge, use_gpu=False)
    peer.item_factors = items.numpy()
    confidence = cells.copy()
    confidence.data += 1
    expected = peer.recalculate_user(np.arange(12), confidence)
    found = half_step(cells, items, config) * (weight + 1) / weight
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-4)
