from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.scoring.user_rows import RowsInMemory
from recsparse.scoring.user_scores import recent_popularity, scores_or_popularity
from tests.scoring.naive import naive_popularity, random_model

DAY = 24 * 3600


@pytest.mark.parametrize("seed", range(4))
def test_recent_popularity_is_that_of_a_loop(seed):
    trained = random_model(7, 5, seed)
    alone = [*naive_popularity(trained).values()]
    np.testing.assert_allclose(recent_popularity(trained.history, None), alone, rtol=1e-6)
    seconds = np.random.default_rng(seed).integers(0, 200, trained.history.nnz) * DAY
    parts = seconds, trained.history.indices, trained.history.indptr
    times = csr_matrix(parts, shape=trained.history.shape)
    trained = replace(trained, rows=RowsInMemory(trained.history, times))
    recent = [*naive_popularity(trained).values()]
    found = recent_popularity(trained.history, trained.times)
    np.testing.assert_allclose(found, recent, rtol=1e-5)
    assert not np.allclose(recent, alone)
    assert found.sum() == pytest.approx(1, abs=1e-5)


def test_without_rows_nothing_is_popular():
    nothing = csr_matrix((2, 3), dtype=np.float32)
    assert recent_popularity(nothing, nothing.astype(np.int64)).tolist() == [0, 0, 0]


def test_only_users_without_rows_of_whom_nothing_is_told_get_the_popularity():
    trained = random_model(3, 4, seed=0)
    model, history = trained.model, csr_matrix(np.eye(3, 4, k=1, dtype=np.float32))
    history = csr_matrix(np.vstack([history.toarray(), np.zeros((1, 4), np.float32)]))
    # Another user has rows for which all scores are equal.
    model.weights[1] = 2
    popularity = np.array([0.1, 0.4, 0.3, 0.2], dtype=np.float32)
    scores = scores_or_popularity(model, popularity, history)
    assert torch.equal(scores[:3], model.score_batch(history[:3]))
    assert scores[0].tolist() == [2, 2, 2, 2]
    assert torch.equal(scores[3], torch.from_numpy(popularity))
