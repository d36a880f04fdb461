import math

import ir_measures
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.metrics.ranking_metrics import FORMULAS, coverage, ranking_metrics
from recsparse.metrics.top_k import top_k

PEERS = {"ndcg": nDCG, "recall": R, "precision": P, "map": AP, "mrr": RR, "hit_rate": Success}
NAMES = tuple(PEERS)


def tied_case(num_users, num_items, seed):
    """Scores with many ties, and targets for a part of the users."""
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.integers(0, 4, (num_users, num_items)).astype(np.float32))
    targets = rng.random((num_users, num_items)) < rng.uniform(0, 0.6)
    return scores, csr_matrix(targets.astype(np.float32))


def peer_values(recommended, targets, k):
    """The metrics of ir_measures, which is told the order that the lists have."""
    qrels = {str(user): {str(item): 1 for item in row.indices} for user, row in enumerate(targets)}
    run = {
        str(user): {str(item): -float(place) for place, item in enumerate(items) if item >= 0}
        for user, items in enumerate(recommended.tolist())
    }
    measures = {peer @ k: name for name, peer in PEERS.items()}
    judged = {user: items for user, items in qrels.items() if items}
    values = {(name, int(user)): 0.0 for name in NAMES for user in judged}
    for found in ir_measures.iter_calc(list(measures), judged, run):
        values[measures[found.measure], int(found.query_id)] = found.value
    return values


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 999), st.integers(1, 10))
def test_every_metric_agrees_with_ir_measures(users, items, seed, k):
    scores, targets = tied_case(users, items, seed)
    recommended, _ = top_k(scores, k)
    metrics = ranking_metrics(recommended, targets, [k])
    for (name, user), expected in peer_values(recommended, targets, k).items():
        assert metrics[f"{name}@{k}"][user] == pytest.approx(expected, abs=1e-9), name


def test_the_metrics_of_one_list_by_hand():
    """Targets 2, 5, 7 of a list that finds 5 at rank 2 and 2 at rank 3."""
    targets = csr_matrix(([1.0, 1, 1], ([0, 0, 0], [2, 5, 7])), shape=(1, 9))
    metrics = ranking_metrics(torch.tensor([[0, 5, 2, 1]]), targets, [2, 4])
    ideal_of_4 = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    expected = {
        "ndcg@4": (1 / math.log2(3) + 1 / math.log2(4)) / ideal_of_4,
        "recall@4": 2 / 3,
        "precision@4": 2 / 4,
        "map@4": (1 / 2 + 2 / 3) / 3,
        "mrr@4": 1 / 2,
        "hit_rate@4": 1.0,
        "ndcg@2": (1 / math.log2(3)) / (1 / math.log2(2) + 1 / math.log2(3)),
        "recall@2": 1 / 3,
        "precision@2": 1 / 2,
        "map@2": (1 / 2) / 3,
        "mrr@2": 1 / 2,
        "hit_rate@2": 1.0,
    }
    assert {name: value.item() for name, value in metrics.items()} == pytest.approx(expected)


def test_a_list_without_a_hit_scores_zero():
    metrics = ranking_metrics(torch.tensor([[0, 1, -1]]), csr_matrix([[0.0, 0, 1]]), [3])
    assert {name: value.item() for name, value in metrics.items()} == {
        f"{name}@3": 0.0 for name in NAMES
    }


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 999), st.integers(1, 8))
def test_every_metric_is_from_0_to_1_and_of_every_user_with_targets(users, items, seed, k):
    scores, targets = tied_case(users, items, seed)
    without = targets.toarray().sum(axis=1) == 0
    for values in ranking_metrics(top_k(scores, k)[0], targets, [k]).values():
        assert np.isnan(values).tolist() == without.tolist()
        assert ((values[~without] >= 0) & (values[~without] <= 1 + 1e-12)).all()


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 999), st.integers(1, 8))
def test_a_monotone_change_of_the_scores_changes_nothing(users, items, seed, k):
    scores, targets = tied_case(users, items, seed)
    plain = ranking_metrics(top_k(scores, k)[0], targets, [k])
    for change in (torch.exp, lambda x: 3 * x - 7, lambda x: x**3):
        changed = ranking_metrics(top_k(change(scores), k)[0], targets, [k])
        for name, values in plain.items():
            np.testing.assert_array_equal(changed[name], values)


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 999))
def test_a_perfect_ranking_gives_1(users, items, seed):
    targets = tied_case(users, items, seed)[1]
    perfect = top_k(torch.from_numpy(targets.toarray()), items)[0]
    metrics = ranking_metrics(perfect, targets, [1, items])
    some = targets.toarray().any(axis=1)
    for name in ("ndcg@1", "precision@1", "mrr@1", "hit_rate@1", f"ndcg@{items}", f"map@{items}"):
        assert metrics[name][some] == pytest.approx(np.ones(some.sum())), name
    assert metrics[f"recall@{items}"][some] == pytest.approx(np.ones(some.sum()))


def test_an_ideal_list_has_no_more_hits_than_it_has_places():
    """Three targets and two places: both places hit is as good as can be."""
    metrics = ranking_metrics(torch.tensor([[2, 0]]), csr_matrix(np.ones((1, 3))), [2])
    assert metrics["ndcg@2"].item() == pytest.approx(1.0)
    assert metrics["recall@2"].item() == pytest.approx(2 / 3)


def test_a_list_longer_than_the_catalogue_keeps_its_length_in_precision():
    recommended, _ = top_k(torch.tensor([[2.0, 1.0]]), 5)
    metrics = ranking_metrics(recommended, csr_matrix([[0.0, 1]]), [5])
    assert metrics["precision@5"].item() == pytest.approx(1 / 5)
    assert metrics["recall@5"].item() == 1.0


def test_weights_of_targets_do_not_matter():
    lists = torch.tensor([[0, 1]])
    plain = ranking_metrics(lists, csr_matrix([[1.0, 0, 1]]), [2])
    heavy = ranking_metrics(lists, csr_matrix([[9.0, 0, 0.1]]), [2])
    assert plain == heavy


def test_a_target_that_is_stored_twice_counts_once():
    twice = csr_matrix((np.ones(3), np.array([0, 0, 2]), np.array([0, 3])), shape=(1, 3))
    metrics = ranking_metrics(torch.tensor([[0, 1]]), twice, [2])
    assert metrics["recall@2"].item() == 1 / 2
    assert twice.nnz == 3


def test_nobody_gives_metrics_of_nobody():
    metrics = ranking_metrics(torch.zeros(0, 2, dtype=torch.int64), csr_matrix((0, 4)), [1, 2])
    assert set(metrics) == {f"{name}@{k}" for name in NAMES for k in (1, 2)}
    assert all(values.shape == (0,) for values in metrics.values())


def test_an_empty_catalogue_has_no_targets():
    nothing = torch.full((2, 1), -1)
    metrics = ranking_metrics(nothing, csr_matrix((2, 0)), [1])
    assert all(np.isnan(values).all() for values in metrics.values())


def test_every_metric_has_a_formula():
    assert set(FORMULAS) == {f"{name}@k" for name in (*NAMES, "coverage")}


@pytest.mark.parametrize("ks", [[], [0], [2, 4], [-1]])
def test_a_list_length_out_of_range_is_refused(ks):
    with pytest.raises(InputError, match=r"must be from 1 to 3, but got \["):
        ranking_metrics(torch.tensor([[0, 1, 2]]), csr_matrix(np.ones((1, 3))), ks)


def test_lists_of_other_users_are_refused():
    with pytest.raises(InputError, match="one list per user, but got 1 for 2"):
        ranking_metrics(torch.tensor([[0]]), csr_matrix(np.ones((2, 3))), [1])


def test_coverage_counts_each_item_once_and_no_empty_place():
    lists = torch.tensor([[0, 1, -1], [1, 3, 4]])
    assert coverage(lists, num_items=8, k=2) == 3 / 8
    assert coverage(lists, num_items=8, k=3) == 4 / 8


def test_coverage_of_nobody_is_zero_and_of_no_item_undefined():
    assert coverage(torch.zeros(0, 2, dtype=torch.int64), num_items=3, k=2) == 0.0
    assert math.isnan(coverage(torch.full((1, 1), -1), num_items=0, k=1))
