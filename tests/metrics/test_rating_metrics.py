import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsparse.metrics.rating_metrics import RATING_FORMULAS, rating_errors

TRUTH = csr_matrix(np.array([[4.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]]))
PREDICTED = np.array([3.0, 2.0, 2.0])


def test_errors_are_those_of_all_ratings_and_of_each_user():
    found = rating_errors(PREDICTED, TRUTH)
    assert found.overall["rmse"] == pytest.approx(((1 + 0 + 9) / 3) ** 0.5)
    assert found.overall["mae"] == pytest.approx((1 + 0 + 3) / 3)
    np.testing.assert_allclose(found.per_user["user_rmse"], [0.5**0.5, np.nan, 3])
    np.testing.assert_allclose(found.per_user["user_mae"], [0.5, np.nan, 3])
    assert found.errors.tolist() == [-1, 0, -3]
    assert {*found.overall, *found.per_user} == set(RATING_FORMULAS)


def test_rows_of_one_user_count_together():
    found = rating_errors(PREDICTED, TRUTH, np.array([0, 0, 0]))
    np.testing.assert_allclose(found.per_user["user_mae"], [(1 + 0 + 3) / 3])


def test_without_ratings_there_is_no_error_to_tell():
    found = rating_errors(np.zeros(0), csr_matrix((2, 3)))
    assert np.isnan(found.overall["rmse"])
    assert np.isnan(found.per_user["user_mae"]).all()
