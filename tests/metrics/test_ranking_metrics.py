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
from recsparse.metrics.ranking_metrics import BY_TARGETS, ranking_metrics
from recsparse.metrics.top_k import top_k

PEERS = {"ndcg": nDCG, "recall": R, "precision": P, "map": AP, "mrr": RR, "hit_rate": Success}
NAMES = tuple(PEERS)
ALL = tuple(BY_TARGETS)


def tied_case(num_users, num_items, seed):
    """Scores with many ties, and targets for a part of the users."""
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.integers(0, 4, (num_users, num_items)).astype(np.float32))
    targets = rng.random((num_users, num_items)) < rng.uniform(0, 0.6)
    return scores, csr_matrix(targets.astype(np.float32))


def thousand_cases():
    """Scores with ties, no score at all for some users, targets with weights, none for some."""
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 6, (1000, 40)).astype(np.float32)
    scores[rng.random((1000, 40)) < rng.random((1000, 1)) ** 3] = -np.inf
    scores[rng.random(1000) < 0.05] = -np.inf
    weights = rng.integers(1, 6, (1000, 40)) * (rng.random((1000, 40)) < rng.random((1000, 1)) / 2)
    return torch.from_numpy(scores), csr_matrix(weights)


def peer_values(scores, weights, measures, rising=False):
    """The metrics of ir-measures, which orders by score, and then by the name of the item.

    In trec_eval the names fall; in RR@k, which is of other code, they rise.
    """
    name = [f"{1000 + item if rising else 9999 - item}" for item in range(scores.shape[1])]
    qrels = {
        str(user): {name[item]: int(row[0, item]) for item in row.indices}
        for user, row in enumerate(weights)
        if row.nnz
    }
    run = {
        str(user): {name[item]: float(row[item]) for item in np.flatnonzero(row > -np.inf)}
        for user, row in enumerate(scores.numpy())
    }
    # Users without a list are not judged there; here they miss.
    values = {measure: np.where(weights.getnnz(axis=1), 0.0, np.nan) for measure in measures}
    for found in ir_measures.iter_calc(list(measures), qrels, run):
        values[found.measure][int(found.query_id)] = found.value
    return values


@pytest.mark.parametrize("k", [1, 3, 10, 40, 50])
def test_every_metric_agrees_with_ir_measures(k):
    scores, weights = thousand_cases()
    found = ranking_metrics(top_k(scores, k)[0], weights, [k], ALL)
    binary = csr_matrix(weights > 0).astype(int)
    peers = peer_values(scores, binary, [peer @ k for peer in PEERS.values() if peer != RR])
    peers |= peer_values(scores, binary, [RR @ k], rising=True)
    for name, peer in PEERS.items():
        np.testing.assert_allclose(found[f"{name}@{k}"], peers[peer @ k], atol=1e-9, rtol=0)
    exponential = weights.copy()
    exponential.data = 2**weights.data - 1
    for name, gains in (("ndcg_linear", weights), ("ndcg_exp", exponential)):
        (expected,) = peer_values(scores, gains, [nDCG @ k]).values()
        np.testing.assert_allclose(found[f"{name}@{k}"], expected, atol=1e-9, rtol=0)
    most = np.minimum(k, np.maximum(weights.getnnz(axis=1), 1))
    np.testing.assert_allclose(found[f"capped_recall@{k}"], peers[P @ k] * k / most, atol=1e-9)


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
    metrics |= ranking_metrics(torch.tensor([[0, 1, -1]]), csr_matrix([[0.0, 0, 1]]), [3], ALL)
    assert {name: value.item() for name, value in metrics.items()} == {
        f"{name}@3": 0.0 for name in ALL
    }


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 999), st.integers(1, 8))
def test_every_metric_is_from_0_to_1_and_of_every_user_with_targets(users, items, seed, k):
    scores, targets = tied_case(users, items, seed)
    without = targets.toarray().sum(axis=1) == 0
    for values in ranking_metrics(top_k(scores, k)[0], targets, [k], ALL).values():
        assert np.isnan(values).tolist() == without.tolist()
        assert ((values[~without] >= 0) & (values[~without] <= 1)).all()


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 999), st.integers(1, 8))
def test_a_monotone_change_of_the_scores_changes_nothing(users, items, seed, k):
    scores, targets = tied_case(users, items, seed)
    plain = ranking_metrics(top_k(scores, k)[0], targets, [k], ALL)
    for change in (torch.exp, lambda x: 3 * x - 7, lambda x: x**3):
        changed = ranking_metrics(top_k(change(scores), k)[0], targets, [k], ALL)
        for name, values in plain.items():
            np.testing.assert_array_equal(changed[name], values)


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 999))
def test_a_perfect_ranking_gives_1(users, items, seed):
    wanted = tied_case(users, items, seed)[1]
    targets = wanted.multiply(np.random.default_rng(seed).integers(1, 6, (users, items))).tocsr()
    perfect = top_k(torch.from_numpy(targets.toarray()), items)[0]
    metrics = ranking_metrics(perfect, targets, [1, items], ALL)
    some = targets.toarray().any(axis=1)
    of_all = ("ndcg", "ndcg_linear", "ndcg_exp", "map", "recall", "capped_recall")
    of_one = ("ndcg", "ndcg_linear", "ndcg_exp", "capped_recall", "precision", "mrr", "hit_rate")
    for name in [f"{each}@{items}" for each in of_all] + [f"{each}@1" for each in of_one]:
        assert metrics[name][some].tolist() == [1.0] * some.sum(), name  # to the bit


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


def test_weights_of_targets_do_not_matter_where_relevance_is_binary():
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


@pytest.mark.parametrize("ks", [[], [0], [2, 4], [-1]])
def test_a_list_length_out_of_range_is_refused(ks):
    with pytest.raises(InputError, match=r"must be from 1 to 3, but got \["):
        ranking_metrics(torch.tensor([[0, 1, 2]]), csr_matrix(np.ones((1, 3))), ks)


def test_lists_of_other_users_are_refused():
    with pytest.raises(InputError, match="one list per user, but got 1 for 2"):
        ranking_metrics(torch.tensor([[0]]), csr_matrix(np.ones((2, 3))), [1])


def test_graded_metrics_by_hand():
    """Weights 3, 1 and 2; the list has them at ranks 2, 3 and not at all."""
    targets = csr_matrix(([3.0, 1, 2], ([0, 0, 0], [2, 5, 7])), shape=(1, 9))
    metrics = ranking_metrics(
        torch.tensor([[0, 2, 5]]), targets, [2, 3], ["ndcg_linear", "ndcg_exp"]
    )
    log = math.log2
    expected = {
        "ndcg_linear@2": (3 / log(3)) / (3 + 2 / log(3)),
        "ndcg_exp@2": (7 / log(3)) / (7 + 3 / log(3)),
        "ndcg_linear@3": (3 / log(3) + 1 / log(4)) / (3 + 2 / log(3) + 1 / log(4)),
        "ndcg_exp@3": (7 / log(3) + 1 / log(4)) / (7 + 3 / log(3) + 1 / log(4)),
    }
    assert {name: value.item() for name, value in metrics.items()} == pytest.approx(expected)


def test_targets_that_weigh_nothing_have_no_graded_metric():
    targets = csr_matrix(([0.0, -2, 0], ([0, 0, 1], [0, 1, 0])), shape=(3, 2))
    lists = torch.tensor([[0, 1]] * 3)
    metrics = ranking_metrics(lists, targets, [2], ["ndcg_linear", "ndcg_exp", "ndcg"])
    assert np.isnan(metrics["ndcg_linear@2"]).all()
    assert np.isnan(metrics["ndcg_exp@2"]).all()
    assert metrics["ndcg@2"][:2].tolist() == [1.0, 1.0]


def test_weights_that_have_no_power_of_two_are_refused():
    targets = csr_matrix([[5000.0, 1]])
    with pytest.raises(InputError, match="must be at most 100, but one is 5000; use ndcg_linear"):
        ranking_metrics(torch.tensor([[0]]), targets, [1], ["ndcg_exp"])


def test_an_item_that_is_in_a_list_twice_is_refused_by_name():
    lists = torch.tensor([[3, 1, -1, -1], [0, 2, 4, 2]])
    message = "list 1 has item 2 at ranks 2 and 4; leave one out, since both would count as hits"
    with pytest.raises(InputError, match=message):
        ranking_metrics(lists, csr_matrix(np.ones((2, 5))), [2])


def test_an_item_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="must hold items from 0 to 4, but one holds 5"):
        ranking_metrics(torch.tensor([[5]]), csr_matrix(np.ones((1, 5))), [1])


def test_catalogues_that_are_laid_out_a_user_at_a_time_give_the_same(monkeypatch):
    scores, weights = thousand_cases()
    lists = top_k(scores, 10)[0]
    plain = ranking_metrics(lists, weights, [10], ALL)
    monkeypatch.setattr("recsparse.metrics.judged_lists._CELLS_AT_ONCE", 1)
    for name, values in ranking_metrics(lists, weights, [10], ALL).items():
        np.testing.assert_array_equal(values, plain[name])


def test_items_without_a_score_are_misses_wherever_they_would_stand():
    """NaN is no score: neither the best nor the worst of them is in a list."""
    scores = torch.tensor([[math.nan, 2.0, 1.0]])
    metrics = ranking_metrics(top_k(scores, 3)[0], csr_matrix([[1.0, 0, 1]]), [3], ALL)
    assert metrics["recall@3"].item() == 1 / 2
    assert metrics["mrr@3"].item() == 1 / 2
