import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import roc_auc_score

from recsparse.metrics.auc import auc, num_others
from recsparse.metrics.top_k import mask_seen

SEEDS = st.integers(0, 999)


def case(users, items, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (users, items)).astype(np.float32)
    history = csr_matrix((rng.random((users, items)) < 0.2).astype(np.float32))
    targets = csr_matrix((rng.random((users, items)) < 0.3).astype(np.float32))
    return torch.from_numpy(scores), history, targets, rng.random(items) < 0.8


def peer(scores, history, targets, candidates):
    """The AUC of scikit-learn; what cannot be ranked is no other item, and as a target the last."""
    values = []
    for row, seen, wanted in zip(
        scores.numpy(), history.toarray() > 0, targets.toarray() > 0, strict=True
    ):
        may = candidates & ~seen
        used = may | wanted
        values.append(np.nan)
        if wanted.any() and (used & ~wanted).any():
            values[-1] = roc_auc_score(wanted[used], np.where(may, row, -9)[used])
    return values


@given(st.integers(1, 4), st.integers(1, 12), SEEDS)
def test_it_agrees_with_scikit_learn(users, items, seed):
    scores, history, targets, candidates = case(users, items, seed)
    masked = mask_seen(scores, history).masked_fill(torch.from_numpy(~candidates), -torch.inf)
    found = auc(masked, targets, num_others(history, targets, candidates))
    np.testing.assert_allclose(found, peer(scores, history, targets, candidates), atol=1e-12)


@given(st.integers(1, 4), st.integers(2, 12), SEEDS)
def test_a_monotone_change_of_the_scores_changes_nothing(users, items, seed):
    scores, history, targets, candidates = case(users, items, seed)
    others = num_others(history, targets, candidates)
    plain = auc(scores, targets, others)
    np.testing.assert_array_equal(auc(torch.exp(3 * scores - 7), targets, others), plain)


def test_by_hand():
    """Targets of scores 5 and 2 among others of 5, 3 and 1: pairs won ½ + 1 + 1 and 0 + 0 + 1."""
    scores = torch.tensor([[5.0, 5, 3, 2, 1]])
    targets = csr_matrix([[1.0, 0, 0, 1, 0]])
    assert auc(scores, targets, np.array([3])).item() == (1 / 2 + 1 + 1 + 0 + 0 + 1) / 6


def test_all_scores_alike_tell_nothing():
    assert auc(torch.zeros(1, 5), csr_matrix([[1.0, 1, 0, 0, 0]]), np.array([3])).item() == 0.5


def test_without_targets_or_without_others_it_is_undefined():
    targets = csr_matrix([[0.0, 0], [1, 1]])
    assert np.isnan(auc(torch.zeros(2, 2), targets, np.array([2, 0]))).all()
    assert auc(torch.zeros(0, 2), targets[:0], np.zeros(0, dtype=int)).shape == (0,)


def test_what_cannot_be_ranked_loses():
    """A target without a score, and one that the model does not know."""
    targets = csr_matrix([[1.0, 0, 0, 1]])
    scores = torch.tensor([[torch.nan, 2.0, 1.0]])
    assert auc(scores, targets, np.array([2])).item() == 0.0
    only_unknown = csr_matrix([[0.0, 1, 0, 0]])
    assert auc(scores, only_unknown, np.array([2])).item() == pytest.approx(1.0)
