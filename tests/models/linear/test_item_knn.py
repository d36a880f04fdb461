import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import ItemKNNConfig
from recsparse.models.linear import item_knn
from recsparse.models.linear.item_knn import ItemKNN
from recsparse.testing import PersonalConformance, log_of

PLAIN = ItemKNNConfig(shrinkage=0.0, asymmetry=0.5, user_exponent=0.0)


class TestItemKNN(PersonalConformance):
    config = ItemKNNConfig()


class TestItemKNNWithFewNeighbours(PersonalConformance):
    config = PLAIN.model_copy(update={"neighbours": 4})


def similarities_pair_by_pair(dense, config):
    """The similarity of each item to its nearest neighbours, by the formula of the docstring."""
    lengths = (dense > 0).sum(axis=1)
    x = np.array(
        [row / max(n, 1) ** config.user_exponent for row, n in zip(dense, lengths, strict=True)]
    )
    num_items = dense.shape[1]
    similarity = np.zeros((num_items, num_items))
    for i in range(num_items):
        found = {}
        for j in range(num_items):
            own, other = np.linalg.norm(x[:, i]), np.linalg.norm(x[:, j])
            scale = own ** (2 * config.asymmetry) * other ** (2 - 2 * config.asymmetry)
            if j != i and x[:, i] @ x[:, j] > 0:
                found[j] = x[:, i] @ x[:, j] / (scale + config.shrinkage)
        for j in sorted(found, key=found.__getitem__, reverse=True)[: config.neighbours]:
            similarity[i, j] = found[j]
    return similarity


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 999),
    st.integers(1, 5),
    st.sampled_from([(1.0, 0.3, 0.25), (0.1, 0.0, 1.0), (5.0, 1.0, 0.0), (0.5, 0.5, 0.5)]),
)
def test_scores_are_sums_of_the_nearest_similarities(users, items, seed, neighbours, formula):
    """Random weights leave no ties."""
    rng = np.random.default_rng(seed)
    dense = rng.random((users, items)) * (rng.random((users, items)) < 0.6)
    dense[0, 0] = 1
    shrinkage, asymmetry, user_exponent = formula
    config = ItemKNNConfig(
        neighbours=neighbours,
        shrinkage=shrinkage,
        asymmetry=asymmetry,
        user_exponent=user_exponent,
    )
    dense = dense.astype(np.float32)
    model = ItemKNN(config).fit(csr_matrix(dense))
    history = rng.random((3, items)).astype(np.float32)
    expected = history @ similarities_pair_by_pair(dense.astype(np.float64), config).T
    np.testing.assert_allclose(
        model.score_batch(csr_matrix(history)), expected, rtol=1e-4, atol=1e-6
    )


def test_the_cosine_by_hand():
    """Item 0 has users 0 and 1, item 1 users 1 and 2, item 2 user 1 alone."""
    log = csr_matrix([[1.0, 0, 0], [1, 1, 1], [0, 1, 0]])
    scores = ItemKNN(PLAIN).fit(log).score_batch(csr_matrix([[2.0, 0, 0]]))
    expected = [0, 2 * 1 / (2**0.5 * 2**0.5), 2 * 1 / (2**0.5 * 1)]
    assert scores.tolist()[0] == pytest.approx(expected)


def test_of_equally_near_items_the_lower_index_is_kept():
    """All items have the same users, so all similarities are equal."""
    config = PLAIN.model_copy(update={"neighbours": 2})
    model = ItemKNN(config).fit(csr_matrix(np.ones((2, 4))))
    neighbours = model.similarity.T.toarray() > 0
    assert [row.nonzero()[0].tolist() for row in neighbours] == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_a_smaller_asymmetry_favours_popular_items():
    """Item 1 is popular and item 2 is not; both meet item 0 once."""
    log = csr_matrix([[1.0, 1, 1], [0, 1, 0], [0, 1, 0], [0, 1, 0]])
    seen = csr_matrix([[1.0, 0, 0]])

    def advantage(asymmetry):
        config = PLAIN.model_copy(update={"asymmetry": asymmetry})
        scores = ItemKNN(config).fit(log).score_batch(seen)[0]
        return float(scores[1] / scores[2])

    assert advantage(0.0) == pytest.approx(1.0)
    assert advantage(0.5) == pytest.approx(1 / 2)
    assert advantage(1.0) == pytest.approx(1 / 4)


@pytest.mark.parametrize("at_once", [1, 5, 12])
def test_blocks_of_items_change_nothing(monkeypatch, at_once):
    config = ItemKNNConfig(neighbours=3)
    whole = ItemKNN(config).fit(log_of()).similarity
    monkeypatch.setattr(item_knn, "_ITEMS_AT_ONCE", at_once)
    np.testing.assert_array_equal(
        ItemKNN(config).fit(log_of()).similarity.toarray(), whole.toarray()
    )
