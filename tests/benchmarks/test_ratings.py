import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from benchmarks import ratings as module
from benchmarks.ratings import OURS, choose, fit, hide, read_ratings, table
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.metrics.rating_metrics import RatingResult


def small_ratings(seed=0):
    rng = np.random.default_rng(seed)
    level = np.round(3 + rng.normal(0, 1, (30, 1)) + rng.normal(0, 1, (1, 12)))
    seen = rng.random(level.shape) < 0.5
    return csr_matrix(np.where(seen, np.clip(level, 1, 5), 0).astype(np.float32))


def test_ids_are_columns_and_rows_less_one(tmp_path):
    (tmp_path / "splits").mkdir()
    rows = {"user_id": [1, 943], "item_id": [1682, 3], "rating": [5, 2]}
    pd.DataFrame(rows).to_parquet(tmp_path / "splits" / "u1_test.parquet")
    found = read_ratings(tmp_path, "test")
    assert found.shape == (943, 1682)
    assert (found[0, 1681], found[942, 2], found.nnz) == (5.0, 2.0, 2)


def test_hidden_ratings_are_a_share_and_no_longer_there():
    ratings = small_ratings()
    kept, hidden = hide(ratings, 0.3, seed=1)
    assert (kept + hidden != ratings).nnz == 0
    assert kept.nnz + hidden.nnz == ratings.nnz
    assert 0.15 < hidden.nnz / ratings.nnz < 0.45
    assert (hide(ratings, 0.3, seed=2)[1] != hidden).nnz > 0


def test_the_settings_of_the_least_error_on_the_hidden_ratings_are_chosen(monkeypatch):
    space = {"user_shrinkage": (0.5, 500.0), "item_shrinkage": (0.5, 500.0)}
    monkeypatch.setattr(module, "SPACES", {"rating_bias": space})
    ratings = small_ratings()
    kept, hidden = hide(ratings, module.VALIDATION_SHARE, seed=3)
    errors = {
        (user, item): evaluate_ratings(
            fit("rating_bias", {"user_shrinkage": user, "item_shrinkage": item}, kept, 0),
            kept,
            hidden,
        ).overall["rmse"]
        for user in space["user_shrinkage"]
        for item in space["item_shrinkage"]
    }
    chosen = choose("rating_bias", ratings, seed=3)
    assert tuple(chosen.values()) == min(errors, key=errors.__getitem__)


def result(rmse, users):
    per_user = {"user_rmse": np.array([*users, np.nan])}
    return RatingResult({"rmse": rmse, "mae": rmse / 2}, per_user, np.zeros(0))


def test_the_table_has_means_errors_and_the_gain_of_ours():
    found = {
        "rating_bias": [(result(1.0, [1.0, 1.1, 1.3]), 2.0), (result(1.2, [1.0, 1.3, 1.3]), 4.0)],
        OURS: [(result(0.9, [0.8, 0.9, 1.0]), 1.0), (result(0.9, [0.8, 0.9, 1.0]), 1.0)],
    }
    frame = table(found).set_index("model")
    assert frame.loc["rating_bias", "rmse"] == f"{(1.0 + 1.2) / 2:.4f} ± {(1.2 - 1.0) / 2:.4f}"
    assert frame.loc["rating_bias", "ours less"] == f"{1.1 - 0.9:.4f}"
    assert float(frame.loc["rating_bias", "p"]) == pytest.approx(0.013, abs=0.002)
    assert frame.loc["rating_bias", "fit seconds"] == "3.0"
    assert frame.loc[OURS, "p"] == ""
