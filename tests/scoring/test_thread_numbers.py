"""Scores by one thread and by several."""

import numpy as np
import pytest
import torch

from benchmarks.threads import differences, random_rows
from recsparse.config.linear_models import IALSConfig
from recsparse.models.linear.ials import IALS
from tests.scoring.test_model_folder import CONFIGS, train

# These score by SciPy alone, or by sums of single numbers.
SAME_BITS = ["popularity", "item_knn", "content_knn", "ease", "sparse_ease", "next_item_ridge"]
# Of the standard deviation of all scores; the guide and doctor name a tenth of it.
ROUNDING = 1e-4


@pytest.fixture(autouse=True)
def one_thread_afterwards():
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_scores_of_each_kind_of_model_are_the_same_but_for_rounding(config):
    trained = train(config)
    scores = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        scores.append(trained.model.score_batch(trained.history, trained.times).numpy())
    for other in scores[1:]:
        if config.kind in SAME_BITS:
            assert other.tobytes() == scores[0].tobytes()
        difference = np.abs(other - scores[0]).max()
        assert difference <= ROUNDING * max(scores[0].std(), 1e-12)


def test_the_difference_of_a_larger_model_is_what_the_guide_says():
    cells, times = random_rows(users=300, items=800)
    model = IALS(IALSConfig(factors=32, iterations=1)).fit(cells)
    rows = differences(model, cells, times)
    assert [row["threads"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["users with other scores"] == 0
    assert max(float(str(row["largest difference"])) for row in rows) <= ROUNDING
