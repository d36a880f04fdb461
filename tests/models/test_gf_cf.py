import numpy as np
from scipy.sparse import csr_matrix

from recsparse.linear_config import GFCFConfig
from recsparse.models.gf_cf import GFCF
from tests.models.conformance import PersonalConformance, log_of

SMALL = GFCFConfig(rank=4)


class TestGFCF(PersonalConformance):
    config = SMALL


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
