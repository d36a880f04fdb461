"""Where new items stand: as validation says is best, at no more cost to known ones than told."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.models.blend.placement_search import Evidence, best_known, find_placement

KNOWN, NEW, USERS = 40, 12, 200


def evidence(rng, signal, share_new=0.5, others=None, noise=1.0):
    """Users with one target each, which `signal` lifts above the other items of its kind."""
    known = torch.from_numpy(rng.normal(0, noise, (USERS, KNOWN)).astype(np.float32))
    new = torch.from_numpy(rng.normal(0, noise, (USERS, NEW)).astype(np.float32))
    is_new = rng.random(USERS) < share_new
    wanted = [np.zeros((USERS, KNOWN)), np.zeros((USERS, NEW))]
    for user in range(USERS):
        scores, targets = (new, wanted[1]) if is_new[user] else (known, wanted[0])
        item = rng.integers(scores.shape[1])
        scores[user, item] += signal
        targets[user, item] = 1
    nothing = csr_matrix((USERS, KNOWN), dtype=np.float32)
    best, values = best_known(known, nothing, "ndcg@10")
    return Evidence(best, values, csr_matrix(wanted[0]), [new], csr_matrix(wanted[1]), others)


def test_new_items_that_are_wanted_rise_as_far_as_known_targets_may_lose():
    proof = evidence(np.random.default_rng(0), signal=3.0)
    careful, bold = (find_placement(proof, "ndcg@10", lost) for lost in (0.0, 0.5))
    for found, lost in ((careful, 0.0), (bold, 0.5)):
        figures = found.figures
        assert figures["known_with_new"] >= (1 - lost) * figures["known_without_new"]
        assert figures["all_with_new"] >= figures["all_without_new"]
    assert bold.figures["all_with_new"] > 1.3 * bold.figures["all_without_new"]
    assert bold.figures["all_with_new"] >= careful.figures["all_with_new"]


def test_new_items_that_nobody_wants_stay_behind():
    found = find_placement(evidence(np.random.default_rng(1), 3.0, share_new=0.0), "ndcg@10", 0.5)
    assert found.placement.shift < -100
    assert found.figures["all_with_new"] == found.figures["all_without_new"]


def test_without_targets_of_known_items_nothing_says_where_new_ones_stand():
    found = find_placement(evidence(np.random.default_rng(2), 3.0, share_new=1.0), "ndcg@10", 0.5)
    assert (found.placement.shift, found.placement.slope) == (0.0, 1.0)


def test_the_items_to_be_ranked_count_in_what_known_targets_lose():
    many = torch.full((USERS, 30), 2.5)
    free, crowded = (
        find_placement(evidence(np.random.default_rng(3), 3.0, others=others), "ndcg@10", 0.02)
        for others in (None, [many])
    )
    reach = [each.placement.shift + each.placement.slope * 2.5 for each in (free, crowded)]
    assert reach[1] < reach[0]


def test_a_reader_that_knows_nothing_gets_no_weight():
    rng = np.random.default_rng(4)
    proof = evidence(rng, signal=4.0)
    noise = torch.from_numpy(rng.normal(0, 1, (USERS, NEW)).astype(np.float32))
    both = Evidence(
        proof.known_best, proof.known_scores, proof.known_targets,
        [noise, proof.new_scores[0]], proof.new_targets,
    )  # fmt: skip
    weights = find_placement(both, "ndcg@10", 0.5).weights
    assert weights[1] == 1.0
    assert weights[0] < 0.3


@pytest.mark.parametrize("users", [1, USERS])
def test_lists_are_those_of_all_scores_sorted(users):
    """The merge of the best of both kinds is the best of all."""
    rng = np.random.default_rng(5)
    known = torch.from_numpy(rng.normal(0, 1, (users, KNOWN)).astype(np.float32))
    new = torch.from_numpy(rng.normal(1, 1, (users, NEW)).astype(np.float32))
    targets = (rng.random((users, KNOWN + NEW)) < 0.2).astype(float)
    best, values = best_known(known, csr_matrix((users, KNOWN), dtype=np.float32), "ndcg@10")
    proof = Evidence(
        best, values, csr_matrix(targets[:, :KNOWN]), [new], csr_matrix(targets[:, KNOWN:])
    )
    found = find_placement(proof, "ndcg@10", 1.0)
    placed = found.placement.shift + found.placement.slope * new
    order = torch.cat([known, placed], dim=1).numpy().argsort(axis=1)[:, ::-1][:, :10]
    discount = 1 / np.log2(np.arange(2, 12))
    values = []
    for row, wanted in zip(order, targets, strict=True):
        if wanted.any():
            best_gain = discount[: int(wanted.sum())].sum()
            values.append((wanted[row] * discount).sum() / best_gain)
    assert found.figures["all_with_new"] == pytest.approx(np.mean(values), abs=1e-6)
