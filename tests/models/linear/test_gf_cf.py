import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import GFCFConfig
from recsparse.models.linear.gf_cf import GFCF
from recsparse.testing import PersonalConformance, log_of

SMALL = GFCFConfig(rank=4)


class TestGFCF(PersonalConformance):
    config = SMALL


class TestGFCFSharpened(PersonalConformance):
    config = GFCFConfig(rank=4, item_exponent=0.3, sharpening=0.5)


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("sharpening", [0.0, 0.4])
def test_exponent_and_sharpening_are_the_formula_of_the_docstring(exponent, sharpening):
    log = log_of(num_users=30, num_items=10, seed=4)
    settings = {"rank": 3, "low_pass_weight": 0.2}
    plain = GFCF(GFCFConfig(rank=3, low_pass_weight=0.0)).fit(log).score_batch(log).numpy()
    low_pass = GFCF(GFCFConfig(**settings)).fit(log).score_batch(log).numpy() - plain
    x = log.toarray().astype(np.float64)
    by_user, by_item = (np.maximum(x.sum(axis=axis), 1e-12) for axis in (1, 0))
    scale = by_item**-exponent * by_item.mean() ** (exponent - 0.5)
    normalised = by_user[:, None] ** -0.5 * x * scale
    scores = x @ normalised.T @ normalised + low_pass
    expected = scores - sharpening * scores @ normalised.T @ normalised
    config = GFCFConfig(**settings, item_exponent=exponent, sharpening=sharpening)
    found = GFCF(config).fit(log).score_batch(log)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_rows_are_filtered_as_the_paper_says():
    log = csr_matrix(
        log_of(num_users=30, num_items=10, seed=4).toarray()[:, [*range(5), *range(6, 10)]]
    )
    x = log.toarray().astype(np.float64)
    x = x[x.sum(axis=1) > 0]
    users, items = np.diag(x.sum(axis=1) ** -0.5), np.diag(x.sum(axis=0) ** -0.5)
    normalised = users @ x @ items
    vectors = np.linalg.svd(normalised)[2][:4]
    low_pass = items @ vectors.T @ vectors @ np.linalg.inv(items)
    expected = x @ (normalised.T @ normalised + 0.7 * low_pass)
    model = GFCF(GFCFConfig(rank=4, low_pass_weight=0.7)).fit(csr_matrix(x))
    np.testing.assert_allclose(model.score_batch(csr_matrix(x)), expected, rtol=1e-3, atol=1e-4)


def test_a_rank_above_the_matrix_is_that_of_the_matrix():
    model = GFCF(GFCFConfig(rank=1000)).fit(log_of(8, 5, seed=1))
    assert model.vectors.shape == (5, 5)
