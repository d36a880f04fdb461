import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from recsparse.config.linear_models import PopularityConfig
from recsparse.errors import InputError
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.metrics.rating_metrics import RATING_FORMULAS
from recsparse.models.linear.popularity import Popularity


class Oracle:
    """Predicts what it is given, and notes how many rows it is asked for."""

    predicts_ratings, kind = True, "oracle"

    def __init__(self, scores):
        self.scores, self.asked = scores, []

    def score_batch(self, history, times=None):
        start = sum(self.asked)
        self.asked.append(history.shape[0])
        return torch.from_numpy(self.scores[start : start + history.shape[0]])


def random_part(num_users, num_items, seed):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(1, 5, (num_users, num_items)).astype(np.float32)
    ratings = rng.integers(1, 6, scores.shape) * (rng.random(scores.shape) < 0.4)
    return scores, csr_matrix(ratings.astype(np.float32))


@pytest.fixture(autouse=True)
def _any_model(unchecked_types):
    """The oracle is no recommender, so its type is not checked."""


@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_errors_are_those_of_scikit_learn(num_users, num_items, batch_users, seed):
    scores, targets = random_part(num_users, num_items, seed)
    model = Oracle(scores)
    result = evaluate_ratings(model, csr_matrix(targets.shape), targets, batch_users)
    assert sum(model.asked) == num_users
    assert max(model.asked) <= batch_users
    dense = targets.toarray()
    user, item = dense.nonzero()
    if len(user) == 0:
        assert all(math.isnan(value) for value in result.overall.values())
    else:
        true, found = dense[user, item], scores[user, item]
        assert result.overall["rmse"] == pytest.approx(root_mean_squared_error(true, found))
        assert result.overall["mae"] == pytest.approx(mean_absolute_error(true, found))
        np.testing.assert_allclose(result.errors, found - true, rtol=1e-5)
    for each in range(num_users):
        seen = dense[each] > 0
        rmse, mae = (result.per_user[name][each] for name in ("user_rmse", "user_mae"))
        if not seen.any():
            assert math.isnan(rmse)
            assert math.isnan(mae)
            continue
        assert rmse == pytest.approx(root_mean_squared_error(dense[each][seen], scores[each][seen]))
        assert mae == pytest.approx(mean_absolute_error(dense[each][seen], scores[each][seen]))


def test_the_errors_of_a_user_are_of_all_ratings_in_its_rows():
    """Rows 0 and 1 are of one user, row 2 of another, who has no rating."""
    targets = csr_matrix([[1.0, 0], [0, 2], [0, 0]])
    scores = np.array([[4.0, 0], [0, 6], [1, 1]])
    result = evaluate_ratings(
        Oracle(scores), csr_matrix((3, 2)), targets, 2, user=np.array([0, 0, 1])
    )
    assert result.per_user["user_rmse"][0] == math.sqrt((3**2 + 4**2) / 2)
    assert result.per_user["user_mae"][0] == (3 + 4) / 2
    assert math.isnan(result.per_user["user_mae"][1])
    assert result.overall == {"rmse": math.sqrt((3**2 + 4**2) / 2), "mae": (3 + 4) / 2}


def test_true_ratings_have_no_error():
    _, targets = random_part(5, 4, seed=1)
    result = evaluate_ratings(Oracle(targets.toarray()), csr_matrix(targets.shape), targets)
    assert result.overall == {"rmse": 0.0, "mae": 0.0}


def test_every_figure_has_a_formula():
    scores, targets = random_part(5, 4, seed=1)
    result = evaluate_ratings(Oracle(scores), csr_matrix(targets.shape), targets)
    assert set(RATING_FORMULAS) == {*result.overall, *result.per_user}


def test_a_part_without_users_has_no_figures():
    result = evaluate_ratings(Oracle(np.zeros((0, 3))), csr_matrix((0, 3)), csr_matrix((0, 3)))
    assert math.isnan(result.overall["rmse"])
    assert result.per_user["user_rmse"].shape == (0,)


def test_a_model_that_only_ranks_is_refused():
    targets = csr_matrix([[1.0, 0.0]])
    model = Popularity(PopularityConfig()).fit(targets)
    with pytest.raises(InputError, match=r"must be ratings, but those of popularity only rank"):
        evaluate_ratings(model, targets, targets)


def test_matrices_of_different_shapes_are_refused():
    with pytest.raises(InputError, match=r"one shape, but got \(2, 3\) and \(2, 4\)"):
        evaluate_ratings(Oracle(np.zeros((2, 3))), csr_matrix((2, 3)), csr_matrix((2, 4)))
