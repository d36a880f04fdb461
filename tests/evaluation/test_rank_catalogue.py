import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.datasets.evaluated.lists import SharedCells
from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.metrics.list_context import ListContext


def random_part(num_users, num_items, seed):
    """A fixed matrix as the model, and disjoint histories and targets."""
    rng = np.random.default_rng(seed)
    weights = torch.from_numpy(rng.normal(size=(num_items, num_items)).astype(np.float32))
    kind = rng.integers(0, 4, (num_users, num_items))
    history = csr_matrix((kind == 0).astype(np.float32))
    targets = csr_matrix((kind == 1).astype(np.float32))
    return lambda rows: torch.from_numpy(rows.toarray()) @ weights, history, targets


def test_seen_items_are_left_out_and_the_rest_is_ranked():
    """User 0 has seen item 0; of the rest item 2 ranks first. User 1 has seen nothing."""
    scores = torch.tensor([9.0, 1.0, 5.0])
    result = evaluate_ranking(
        lambda rows: scores.repeat(rows.shape[0], 1),
        history=csr_matrix([[1.0, 0, 0], [0, 0, 0]]),
        targets=csr_matrix([[0.0, 1, 0], [1, 0, 0]]),
        metrics=["all@1", "all@2"],
    )
    assert result.per_user["mrr@2"].tolist() == [1 / 2, 1 / 1]
    assert result.per_user["hit_rate@1"].tolist() == [0, 1]
    assert result.mean()["mrr@2"] == (1 / 2 + 1 / 1) / 2
    # First places: items 2 and 0; first two: 2, 1 and 0, 2.
    assert result.coverage == {"coverage@1": 2 / 3, "coverage@2": 3 / 3}


def test_users_without_targets_are_left_out_of_the_mean_and_of_the_count():
    result = evaluate_ranking(
        lambda rows: torch.tensor([[2.0, 1.0]]).repeat(rows.shape[0], 1),
        history=csr_matrix((3, 2)),
        targets=csr_matrix([[1.0, 0], [0, 0], [0, 1]]),
        metrics=["all@1"],
    )
    assert result.num_users == 2
    assert np.isnan(result.per_user["recall@1"]).tolist() == [False, True, False]
    assert result.mean()["recall@1"] == (1 + 0) / 2
    # Two users, 1 and 0: variance ((1/2)^2 + (1/2)^2) / (2 - 1), over two users.
    expected = math.sqrt((0.5**2 + 0.5**2) / (2 - 1) / 2)
    assert result.standard_error()["recall@1"] == pytest.approx(expected)


@given(st.integers(0, 7), st.integers(1, 6), st.integers(0, 99), st.integers(1, 4))
def test_batches_give_the_same_as_all_at_once(users, items, seed, batch_users):
    part = random_part(users, items, seed)
    whole = evaluate_ranking(*part, metrics=["all@1", "all@3"], batch_users=100)
    done = []
    parts = evaluate_ranking(
        *part, metrics=["all@1", "all@3"], batch_users=batch_users, on_batch=done.append
    )
    assert done == [*range(batch_users, users, batch_users), *([users] if users else [])]
    assert parts.coverage == whole.coverage
    assert parts.num_users == whole.num_users
    for name, values in whole.per_user.items():
        np.testing.assert_array_equal(parts.per_user[name], values)


def test_a_list_longer_than_the_catalogue_has_empty_places():
    result = evaluate_ranking(
        lambda rows: torch.tensor([[1.0, 2.0]]),
        csr_matrix((1, 2)),
        csr_matrix([[1.0, 0]]),
        ["all@5"],
    )
    assert result.mean()["mrr@5"] == 1 / 2
    assert result.coverage == {"coverage@5": 2 / 2}


def test_nobody_gives_undefined_means_of_every_metric():
    result = evaluate_ranking(
        lambda rows: torch.zeros(0, 2), *[csr_matrix((0, 2))] * 2, metrics=["all@1"]
    )
    assert result.num_users == 0
    assert result.mean().keys() == result.per_user.keys()
    assert all(math.isnan(value) for value in result.mean().values())
    assert all(math.isnan(value) for value in result.standard_error().values())


def test_histories_and_targets_of_different_shapes_are_refused():
    with pytest.raises(InputError, match=r"one shape, but got \(1, 2\) and \(2, 2\)"):
        evaluate_ranking(
            lambda rows: torch.zeros(1, 2), csr_matrix((1, 2)), csr_matrix((2, 2)), ["all@1"]
        )


def test_only_candidates_are_ranked_and_targets_beyond_the_scores_are_misses():
    """Of scores 9, 5, 1 the first is no candidate; the fourth item has no score at all."""
    result = evaluate_ranking(
        lambda rows: torch.tensor([[9.0, 5.0, 1.0]]).repeat(rows.shape[0], 1),
        history=csr_matrix((3, 3)),
        targets=csr_matrix([[0.0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]]),
        metrics=["all@1"],
        candidates=np.array([False, True, True]),
    )
    assert result.per_user["recall@1"].tolist() == [1 / 2, 0, 0]
    assert result.per_user["ndcg@1"].tolist() == [1, 0, 0]
    assert result.num_users == 3
    assert result.coverage == {"coverage@1": 1 / 2}


@pytest.mark.parametrize(
    ("targets", "candidates"), [((1, 1), 2), ((1, 2), 1), ((1, 3), 3), ((2, 3), 2)]
)
def test_targets_and_candidates_that_do_not_fit_are_refused(targets, candidates):
    with pytest.raises(InputError, match=rf"one shape, but got .* with {candidates} candidates"):
        evaluate_ranking(
            lambda rows: torch.zeros(1, 2), csr_matrix((1, 2)), csr_matrix(targets), ["all@1"],
            candidates=np.ones(candidates, dtype=bool),
        )  # fmt: skip


@given(st.integers(0, 7), st.integers(1, 6), st.integers(0, 99), st.integers(1, 4))
def test_rows_that_are_laid_out_batch_by_batch_give_the_same_as_matrices(
    users, items, seed, batch_users
):
    score, *part = random_part(users, items, seed)
    expected = evaluate_ranking(score, *part, metrics=["all@1", "all@3"], batch_users=100)
    shared = [SharedCells.of_matrix(matrix) for matrix in part]
    found = evaluate_ranking(score, *shared, metrics=["all@1", "all@3"], batch_users=batch_users)
    assert (found.coverage, found.num_users) == (expected.coverage, expected.num_users)
    for name, values in expected.per_user.items():
        np.testing.assert_array_equal(found.per_user[name], values)


@pytest.mark.parametrize("metrics", [(), ("ndcg@0",), ("ndcg@0", "ndcg@2")])
def test_list_lengths_below_1_are_refused(metrics):
    part = random_part(2, 3, seed=0)
    with pytest.raises(InputError, match="with list lengths of at least 1, but are"):
        evaluate_ranking(*part, metrics=metrics)


def test_scores_of_the_wrong_width_are_refused():
    with pytest.raises(InputError, match=r"one shape, but got \(1, 3\) and \(1, 2\)"):
        evaluate_ranking(
            lambda rows: torch.zeros(1, 3), *[csr_matrix((1, 2))] * 2, metrics=["all@1"]
        )


def test_the_lists_stay_with_the_result():
    result = evaluate_ranking(
        lambda rows: torch.tensor([[9.0, 1.0, 5.0]]).repeat(rows.shape[0], 1),
        history=csr_matrix([[1.0, 0, 0], [0, 0, 0]]),
        targets=csr_matrix([[0.0, 1, 0], [1, 0, 0]]),
        metrics=["recall@1", "recall@3"],
        batch_users=1,
    )
    assert result.recommended.tolist() == [[2, 1, -1], [0, 2, 1]]


def test_the_lists_and_every_kind_of_metric_come_out_of_one_pass():
    context = ListContext(np.array([4.0, 3, 0, 1]), csr_matrix(np.eye(4)), csr_matrix(np.eye(4)))
    result = evaluate_ranking(
        lambda rows: torch.tensor([[9.0, 1, 5, 3]]).repeat(rows.shape[0], 1),
        history=csr_matrix([[1.0, 0, 0, 0], [0, 0, 1, 0]]),
        targets=csr_matrix([[0.0, 2, 1, 0, 0], [0, 1, 0, 0, 1]]),
        metrics=["auc", "ndcg_linear@2", "beyond@2"],
        candidates=np.array([True, True, True, False]),
        context=context,
    )
    # User 0 has seen item 0, user 1 item 2; item 3 may not be ranked, item 4 is not known.
    assert result.recommended.tolist() == [[2, 1], [0, 1]]
    # User 0 has no other item to lose to; user 1's target 1 loses to 0, target 4 to all.
    np.testing.assert_array_equal(result.per_user["auc"], [np.nan, 0.0])
    first = (1 / math.log2(2) + 2 / math.log2(3)) / (2 / math.log2(2) + 1 / math.log2(3))
    assert result.per_user["ndcg_linear@2"][0] == pytest.approx(first)
    assert result.per_user["arp@2"].tolist() == [(0 + 3) / 2, (4 + 3) / 2]
    assert result.coverage["coverage@2"] == 3 / 3
    assert result.num_users == 2


def test_scores_stay_as_they_are():
    scores = torch.tensor([[1.0, 2.0, 3.0]])
    before = scores.clone()
    evaluate_ranking(
        lambda rows: scores, csr_matrix([[0.0, 0, 1]]), csr_matrix([[1.0, 0, 0]]), ["ndcg@2", "auc"]
    )
    assert torch.equal(scores, before)


def test_evaluation_is_there_without_mlflow():
    code = (
        "import pkgutil, sys, recsparse.evaluation as room\n"
        "for each in pkgutil.iter_modules(room.__path__, 'recsparse.evaluation.'):\n"
        "    __import__(each.name)\n"
        "sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
