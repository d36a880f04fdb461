import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.metrics.top_k import mask_seen, top_k

values = st.sampled_from([-math.inf, math.inf, math.nan, -1.0, -0.0, 0.0, 0.5, 2.0])
rows_of_scores = st.integers(0, 6).flatmap(
    lambda width: st.lists(st.lists(values, min_size=width, max_size=width), max_size=4).map(
        lambda rows: torch.tensor(rows, dtype=torch.float32).view(len(rows), width)
    )
)


def best_one_by_one(row, k):
    """The k best of a row as Python sorts them: by falling score, then by rising index."""
    usable = [(-score, item) for item, score in enumerate(row) if score > -math.inf]
    items = [item for _, item in sorted(usable)[:k]]
    return items + [-1] * (k - len(items))


@given(rows_of_scores, st.integers(1, 9))
def test_the_lists_are_those_of_a_full_sort(scores, k):
    index, value = top_k(scores, k)
    assert index.shape == value.shape == (len(scores), k)
    for row, items, found in zip(scores.tolist(), index.tolist(), value.tolist(), strict=True):
        assert items == best_one_by_one(row, k)
        assert found == [row[item] if item >= 0 else -math.inf for item in items]


@given(st.integers(1, 3), st.integers(1, 300), st.integers(0, 99), st.integers(1, 300))
def test_long_rows_of_tied_scores_are_sorted_too(users, items, seed, k):
    scores = np.random.default_rng(seed).integers(0, 5, (users, items)).astype(np.float32)
    index, _ = top_k(torch.from_numpy(scores), k)
    for row, found in zip(scores, index.tolist(), strict=True):
        expected = np.lexsort((np.arange(items), -row))[:k].tolist()
        assert found == expected + [-1] * (k - len(expected))


def test_of_equal_scores_the_lower_index_ranks_first():
    index, value = top_k(torch.tensor([[1.0, 2.0, 2.0, 1.0, 2.0]]), 4)
    assert index.tolist() == [[1, 2, 4, 0]]
    assert value.tolist() == [[2.0, 2.0, 2.0, 1.0]]


def test_double_scores_keep_their_precision():
    close = torch.tensor([[1.0, 1.0 + 1e-12]], dtype=torch.float64)
    index, value = top_k(close, 1)
    assert index.tolist() == [[1]]
    assert value.dtype == torch.float64


def test_an_empty_list_is_refused():
    with pytest.raises(InputError, match="k must be at least 1, but got 0"):
        top_k(torch.zeros(1, 2), 0)


@given(st.integers(0, 4), st.integers(1, 5), st.integers(0, 99))
def test_seen_items_are_masked_and_others_keep_their_score(users, items, seed):
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.normal(size=(users, items)).astype(np.float32))
    seen = rng.random((users, items)) < 0.4
    before = scores.clone()
    masked = mask_seen(scores, csr_matrix(seen.astype(np.float32)))
    assert torch.equal(scores, before)
    np.testing.assert_array_equal(masked, np.where(seen, -np.inf, scores).astype(np.float32))


def test_a_masked_item_is_never_recommended():
    index, _ = top_k(mask_seen(torch.tensor([[3.0, 2.0, 1.0]]), csr_matrix([[1.0, 0, 0]])), 3)
    assert index.tolist() == [[1, 2, -1]]


def test_a_history_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"one shape, but got \(1, 3\) and \(1, 2\)"):
        mask_seen(torch.zeros(1, 3), csr_matrix((1, 2)))
