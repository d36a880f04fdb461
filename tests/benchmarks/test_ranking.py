import pytest

from benchmarks.ranking import CASES, LIMIT, OURS, RIVAL, Case, Ranked, measure, ours, rival

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
