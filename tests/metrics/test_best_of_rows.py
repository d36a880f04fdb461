import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.metrics.best_of_rows import RowsToRank
from recsparse.metrics.top_k import top_k_unseen

NOTHING = np.zeros(0, dtype=np.int64)
SIZES = st.integers(0, 4), st.integers(0, 400), st.integers(0, 999), st.integers(1, 12)
KINDS = st.sampled_from([np.float32, np.float64])


def scores_of(rng, shape, kind):
    """Now many ties, now none; some infinite, some missing."""
    scores = rng.normal(size=shape) if rng.random() < 0.5 else rng.integers(-2, 3, shape)
    scores = scores.astype(kind)
    for value in (np.nan, np.inf, -np.inf, -0.0):
        scores[rng.random(shape) < rng.random() * 0.1] = value
    return scores


def fully_sorted(scores, seen, excluded, k):
    """The best of each row as NumPy sorts them, stably, one row at a time."""
    found = np.full((len(scores), k), -1)
    for row, values in enumerate(scores.astype(np.float64)):
        values[np.isnan(values)] = -np.inf
        values[seen[row].indices] = -np.inf
        values[excluded] = -np.inf
        order = np.argsort(-values, kind="stable")
        best = order[values[order] > -np.inf][:k]
        found[row, : len(best)] = best
    return found


@given(*SIZES, KINDS, st.sampled_from([1, 2, 3]))
def test_the_best_are_those_of_a_full_sort(rows, columns, seed, k, kind, threads):
    rng = np.random.default_rng(seed)
    scores = scores_of(rng, (rows, columns), kind)
    seen = csr_matrix(rng.random((rows, columns)) < rng.random() * 0.5)
    excluded = np.flatnonzero(rng.random(columns) < 0.2)
    before = scores.copy()
    found = RowsToRank(scores, seen, excluded, k).best(threads)
    np.testing.assert_array_equal(found, fully_sorted(scores, seen, excluded, k))
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize("cells", [1, 700, 10_000])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_blocks_and_threads_change_nothing(cells, threads, monkeypatch):
    monkeypatch.setattr("recsparse.metrics.best_of_rows._CELLS_AT_ONCE", cells)
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 50, (9, 300)).astype(np.float32)
    seen = csr_matrix(rng.random((9, 300)) < 0.1)
    found = RowsToRank(scores, seen, NOTHING, 7).best(threads)
    np.testing.assert_array_equal(found, fully_sorted(scores, seen, NOTHING, 7))


def test_rows_that_share_their_memory_are_ranked():
    popular = torch.tensor([1.0, 3.0, 2.0]).expand(2, 3)
    history = csr_matrix([[0, 1, 0], [0, 0, 0]])
    assert top_k_unseen(popular, history, 2).tolist() == [[2, 0], [1, 2]]
    assert popular.tolist() == [[1.0, 3.0, 2.0]] * 2


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_of_other_types_are_ranked(kind):
    scores = torch.tensor([[0.5, 2.0, 1.0]], dtype=kind)
    assert top_k_unseen(scores, csr_matrix((1, 3)), 2).tolist() == [[1, 2]]


def test_who_has_seen_everything_has_an_empty_list():
    seen = csr_matrix(np.ones((1, 40)))
    assert top_k_unseen(torch.ones(1, 40), seen, 3).tolist() == [[-1, -1, -1]]


def test_items_that_are_no_candidates_are_not_taken():
    candidates = np.array([False, True, True])
    assert top_k_unseen(
        torch.tensor([[3.0, 1, 2]]), csr_matrix((1, 3)), 3, candidates
    ).tolist() == [[2, 1, -1]]


def test_a_history_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"one shape, but got \(1, 3\) and \(1, 2\)"):
        top_k_unseen(torch.zeros(1, 3), csr_matrix((1, 2)), 1)


def test_memory_is_that_of_some_rows_however_many_there_are():
    scores = torch.zeros(2000, 20_000).normal_(generator=torch.Generator().manual_seed(0))
    history = csr_matrix((2000, 20_000))
    tracemalloc.start()
    try:
        for rows in (500, 2000):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            top_k_unseen(scores[:rows], history[:rows], 20)
            taken = tracemalloc.get_traced_memory()[1] - before
            assert taken < 20_000_000, taken  # the scores of 500 rows are twice as much
    finally:
        tracemalloc.stop()
