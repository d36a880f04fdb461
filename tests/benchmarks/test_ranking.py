import pytest
import torch
from scipy.sparse import csr_matrix

from benchmarks.ranking import (
    BATCH,
    CASES,
    LIMIT,
    OURS,
    RIVAL,
    Case,
    Ranked,
    TakingTurns,
    large_part,
    measure,
    ours,
    rival,
)

SMALL = Case("small", 30, 150, 7)


def test_ours_and_the_rival_compute_the_same_metrics():
    data = Ranked.random(SMALL)
    assert ours(data) == pytest.approx(rival(data), abs=1e-9)
    assert len(ours(data)) == 6


def test_a_row_has_times_of_all_and_ratios_to_ours():
    row = measure(SMALL, rounds=1)
    assert all(row[name] > 0 for name in (OURS, RIVAL, LIMIT))
    assert row[f"{RIVAL} ÷ ours"] == pytest.approx(row[RIVAL] / row[OURS])
    assert row[f"{LIMIT} ÷ ours"] == pytest.approx(row[LIMIT] / row[OURS])


def test_histories_and_targets_are_as_long_as_said():
    data = Ranked.random(CASES[0])
    assert data.history.nnz / len(data.scores) == pytest.approx(100, rel=0.05)
    assert data.targets.nnz / len(data.scores) == pytest.approx(12, rel=0.05)


@pytest.mark.parametrize("users", [3, BATCH + 5])
def test_a_large_part_takes_turns_with_the_limit(users):
    row = large_part(users, 200, (2, 5))
    assert row["lists of"] == "2, 5"
    assert row["wall ÷ torch.topk"] == pytest.approx(row["recsparse, s"] / row[f"{LIMIT}, s"])
    assert row["processor ÷ torch.topk"] > 0


def test_the_limit_and_ours_read_other_batches():
    batches = [torch.full((2, 3), float(number)) for number in range(4)]
    turns = TakingTurns(batches, 2)
    given = [turns.score_batch(csr_matrix((2, 3)))[0, 0].item() for _ in range(5)]
    assert given == [0, 1, 2, 3, 0]
    assert turns.wall > 0
    assert len(turns.score_batch(csr_matrix((1, 3)))) == 1
