import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.metrics.sampled_negatives import SampledNegatives

HISTORY = csr_matrix([[1.0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]])
TARGETS = csr_matrix([[0.0, 1, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1]])
SCORES = torch.arange(16.0).view(2, 8)
EVERY = np.ones(8, dtype=bool)


def test_targets_and_so_many_others_keep_their_scores():
    candidates = EVERY.copy()
    candidates[5] = False
    for seed in range(50):
        sampled = SampledNegatives(3, seed)
        left = sampled.scores(SCORES, HISTORY, TARGETS, candidates, 0)
        kept = left > -torch.inf
        assert torch.equal(left[kept], SCORES[kept])
        assert kept.sum(dim=1).tolist() == [1 + 3, 1 + 3]
        assert kept[0, 1]
        assert kept[1, 0]
        assert not kept[0, [0, 5]].any()
        assert not kept[1, [5, 7]].any()


def test_every_other_item_is_drawn_equally_often():
    drawn = np.zeros(8)
    for seed in range(600):
        left = SampledNegatives(2, seed).scores(SCORES[:1], HISTORY[:1], TARGETS[:1], EVERY, 0)
        drawn += (left[0] > -torch.inf).numpy()
    assert drawn[:2].tolist() == [0, 600]
    np.testing.assert_allclose(drawn[2:] / 600, 2 / 6, atol=0.08)  # 4 standard errors


def test_all_are_ranked_where_there_are_fewer():
    left = SampledNegatives(99).scores(SCORES, HISTORY, TARGETS, EVERY, 0)
    assert (left > -torch.inf).tolist() == (HISTORY.toarray() == 0).tolist()


def test_figures_do_not_depend_on_batches_and_are_those_of_the_catalogue_with_all_items():
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(9, 30)).astype(np.float32))
    history, targets = (csr_matrix(rng.random((9, 30)) < 0.2) for _ in range(2))
    targets = targets.multiply(~history.toarray()).tocsr()

    def figures(batch, sampled):
        rows = iter(scores.split(batch))
        return evaluate_ranking(
            lambda _: next(rows), history, targets, ["ndcg@5", "auc"], batch, sampled=sampled
        )

    few = figures(9, SampledNegatives(4, 1))
    assert few.sampled_negatives == 4
    for name, values in figures(2, SampledNegatives(4, 1)).per_user.items():
        np.testing.assert_array_equal(values, few.per_user[name])
    whole, all_of_them = figures(9, None), figures(9, SampledNegatives(30))
    assert whole.sampled_negatives is None
    for name, values in whole.per_user.items():
        np.testing.assert_array_equal(values, all_of_them.per_user[name])
    # The bias: nDCG of few is higher.
    assert few.mean()["ndcg@5"] > whole.mean()["ndcg@5"]


def test_none_at_all_is_refused():
    with pytest.raises(InputError, match="must be at least 1, but are 0"):
        SampledNegatives(0)


def test_the_bias_is_named():
    assert "among 1,000 random items, not the whole catalogue" in SampledNegatives(1000).bias
