import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import UserRidgeConfig
from recsparse.errors import InputError
from recsparse.models.content.user_ridge import UserRidge
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.testing import RecommenderConformance, log_of
from tests.item_features import mixed_features

NOBODY = csr_matrix((6, 12), dtype=np.float32)


class TestUserRidge(RecommenderConformance):
    config = UserRidgeConfig()


def fitted(users, **settings):
    context = FitContext(user_features=users)
    return UserRidge(UserRidgeConfig(**settings)).fit(log_of(users.num_ids), context)


def plain_scores(users, ridge, new):
    """Solve the normal equations of one dense matrix, an item at a time."""
    known, wanted = (np.hstack([each.sparse(1.0).toarray(), each.dense()]) for each in (users, new))
    rows = log_of(users.num_ids).toarray().astype(np.float64)
    scores = np.empty((len(wanted), rows.shape[1]))
    for item in range(rows.shape[1]):
        mean = rows[:, item].mean()
        normal = known.T @ known + ridge * np.eye(known.shape[1])
        scores[:, item] = mean + wanted @ np.linalg.inv(normal) @ known.T @ (rows[:, item] - mean)
    return scores


@pytest.mark.parametrize("ridge", [0.5, 20.0])
@pytest.mark.parametrize("names", ["all", ["genres"], ["year", "embedding"]], ids=str)
def test_scores_are_those_of_the_normal_equations(ridge, names):
    users, new = (mixed_features(num, seed).chosen(names) for num, seed in ((20, 0), (6, 1)))
    model = fitted(users, ridge=ridge)
    scores = model.score_users(NOBODY, None, new).numpy()
    np.testing.assert_allclose(scores, plain_scores(users, ridge, new), rtol=1e-4, atol=1e-5)


def test_as_many_singular_vectors_as_the_columns_span_change_nothing():
    """Nine columns twice are of rank nine."""
    words = mixed_features(40).chosen(["words"]).groups[0].values
    twice = np.hstack([words.toarray()] * 2)
    users = Features.of([("words", "words", csr_matrix(twice))])
    exact = fitted(users, ridge=2.0).score_users(csr_matrix((40, 12)), None, users)
    model = fitted(users, ridge=2.0, rank=9)
    assert model.state()["weights"].shape == (9, 12)
    found = model.score_users(csr_matrix((40, 12)), None, users)
    torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-4)
    again = UserRidge.from_state(model.config, model.state())
    assert torch.equal(again.score_users(csr_matrix((40, 12)), None, users), found)


def test_of_a_user_of_whom_nothing_is_known_scores_are_the_mean_row():
    users = mixed_features(21)
    mean = log_of(21).toarray().mean(axis=0)
    scores = fitted(users).score_users(csr_matrix((2, 12)), None, users.rows(np.array([10, -1])))
    for row in scores.numpy():
        np.testing.assert_allclose(row, mean, rtol=1e-5)


def test_it_needs_features_of_each_user():
    with pytest.raises(InputError, match="user_ridge needs features of the users, but there are n"):
        UserRidge(UserRidgeConfig()).fit(log_of())
    with pytest.raises(InputError, match="must be of each of 24 users, but are of 3"):
        UserRidge(UserRidgeConfig()).fit(log_of(), FitContext(user_features=mixed_features(3)))
    config = UserRidgeConfig(user_features=("job",))
    with pytest.raises(
        InputError, match=r"model\.user_features must name features of the users, b"
    ):
        UserRidge(config).fit(log_of(), FitContext(user_features=mixed_features(24)))
