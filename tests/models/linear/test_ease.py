import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig
from recsparse.errors import InputError
from recsparse.models.linear.ease import EASE
from recsparse.testing import PersonalConformance


class TestEASE(PersonalConformance):
    config = EASEConfig(regularisation=2.0)


class TestEASEWithOneRegularisation(PersonalConformance):
    config = EASEConfig(regularisation=5.0, popularity_exponent=0.0)


def weights_item_by_item(dense, config):
    """For each item the ridge regression of its column on all others, one at a time."""
    num_items = dense.shape[1]
    count = (dense > 0).sum(axis=0)
    penalty = (
        config.regularisation * (np.maximum(count, 1) / count.mean()) ** config.popularity_exponent
    )
    weights = np.zeros((num_items, num_items))
    for item in range(num_items):
        others = [other for other in range(num_items) if other != item]
        x = dense[:, others]
        # A ridge term is the same as one more row per item, with the root of its penalty.
        rows = np.concatenate([x, np.diag(np.sqrt(penalty[others]))])
        target = np.concatenate([dense[:, item], np.zeros(len(others))])
        weights[others, item] = np.linalg.lstsq(rows, target, rcond=None)[0]
    return weights


@given(
    st.integers(1, 7),
    st.integers(1, 6),
    st.integers(0, 99),
    st.sampled_from([0.5, 20.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_the_weights_are_those_of_a_regression_with_the_item_left_out(
    users, items, seed, regularisation, exponent
):
    rng = np.random.default_rng(seed)
    dense = (rng.random((users, items)) < 0.5) * rng.integers(1, 4, (users, items))
    dense[0, 0] = 1
    config = EASEConfig(regularisation=regularisation, popularity_exponent=exponent)
    model = EASE(config).fit(csr_matrix(dense.astype(np.float32)))
    expected = weights_item_by_item(dense, config)
    np.testing.assert_allclose(model.weights, expected, atol=1e-5)
    history = csr_matrix(rng.random((2, items)).astype(np.float32))
    scores = model.score_batch(history)
    np.testing.assert_allclose(scores, history.toarray() @ expected, atol=1e-4)


def test_two_items_by_hand():
    """Both items have two users, one in common: weight 1 / (2 + 3) either way."""
    log = csr_matrix([[1.0, 1], [1, 0], [0, 1]])
    model = EASE(EASEConfig(regularisation=3.0, popularity_exponent=0.0)).fit(log)
    assert model.weights.flatten().tolist() == pytest.approx([0, 1 / (2 + 3), 1 / (2 + 3), 0])


def test_no_item_recommends_itself():
    log = csr_matrix(np.random.default_rng(0).random((9, 5)).astype(np.float32))
    assert torch.equal(EASE(EASEConfig()).fit(log).weights.diagonal(), torch.zeros(5))


def test_a_catalogue_that_is_too_large_is_refused_with_what_it_would_take():
    log = csr_matrix(([1.0], ([0], [0])), shape=(1, 50_000))
    message = (
        r"at most most_items = 30000 items.* has 50000, .* 30 GB; choose model\.kind sparse_ease"
    )
    with pytest.raises(InputError, match=message):
        EASE(EASEConfig()).fit(log)
