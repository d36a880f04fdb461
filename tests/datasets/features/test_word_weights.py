import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from sklearn.feature_extraction.text import TfidfTransformer

from recsparse.config.data import TextConfig
from recsparse.datasets.features.word_weights import WordWeights

WEIGHTINGS = ["tfidf", "bm25", "counts", "binary"]


@st.composite
def matrices(draw, max_rows=8):
    """Return counts from 1 to 3 of up to 6 words."""
    shape = draw(st.integers(0, max_rows)), draw(st.integers(0, 6))
    seed, density = draw(st.integers(0, 99)), draw(st.floats(0, 1))
    rng = np.random.default_rng(seed)
    counts = csr_matrix(random_array(shape, density=density, rng=rng, dtype=np.int32))
    counts.data = rng.integers(1, 4, counts.nnz).astype(np.int32)
    return counts


def bm25_by_loops(train, counts, k1, b):
    """Robertson and Zaragoza (2009), with lengths relative to documents that have words."""
    train, counts = train.toarray(), counts.toarray()
    lengths = [sum(row) for row in train.tolist() if sum(row)]
    mean = sum(lengths) / len(lengths) if lengths else 1.0
    weighted = np.zeros(counts.shape)
    for row, word in zip(*counts.nonzero(), strict=True):
        df = sum(1 for other in train if other[word])
        idf = math.log(1 + (len(train) - df + 0.5) / (df + 0.5))
        count, length = int(counts[row, word]), int(counts[row].sum())
        weighted[row, word] = idf * count * (k1 + 1) / (count + k1 * (1 - b + b * length / mean))
    return weighted


@given(counts=matrices(), k1=st.sampled_from([0.0, 1.2, 3.0]), b=st.sampled_from([0.0, 0.75, 1.0]))
def test_bm25_is_the_formula(counts, k1, b):
    config = TextConfig(weighting="bm25", bm25_k1=k1, bm25_b=b)
    train = counts[: counts.shape[0] // 2]
    found = WordWeights.fit(train, config).apply(counts, config)
    np.testing.assert_allclose(found.toarray(), bm25_by_loops(train, counts, k1, b), rtol=1e-6)


@given(matrices().filter(lambda counts: min(counts.shape) > 0))
def test_tfidf_is_that_of_scikit_learn(counts):
    config = TextConfig()
    train = counts[: max(counts.shape[0] // 2, 1)]
    expected = TfidfTransformer().fit(train).transform(counts)
    found = WordWeights.fit(train, config).apply(counts, config)
    np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-6)


@given(matrices())
def test_counts_are_as_they_are_and_binary_is_one(counts):
    for weighting, expected in (("counts", counts.toarray()), ("binary", counts.toarray() > 0)):
        config = TextConfig(weighting=weighting)
        weights = WordWeights.fit(counts, config)
        assert weights.idf is None
        assert weights.apply(counts, config).toarray().tolist() == expected.tolist()


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@given(counts=matrices())
def test_cells_stay_in_place_as_positive_single_precision_and_nothing_is_changed(weighting, counts):
    before = counts.copy()
    config = TextConfig(weighting=weighting)
    found = WordWeights.fit(counts, config).apply(counts, config)
    assert found.dtype == np.float32
    assert (found.indices.tolist(), found.indptr.tolist()) == (
        counts.indices.tolist(),
        counts.indptr.tolist(),
    )
    assert (found.data > 0).all()
    assert (counts != before).nnz == 0


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@given(counts=matrices(), data=st.data())
def test_the_order_of_documents_does_not_matter(weighting, counts, data):
    order = data.draw(st.permutations(range(counts.shape[0])))
    config = TextConfig(weighting=weighting)
    weights, others = (WordWeights.fit(each, config) for each in (counts, counts[order]))
    found = weights.apply(counts, config)[order]
    assert (found != others.apply(counts[order], config)).nnz == 0


def test_a_long_document_counts_less_and_a_rare_word_more_in_bm25():
    counts = csr_matrix([[1, 0, 0], [1, 1, 0], [1, 0, 9]])
    config = TextConfig(weighting="bm25")
    weights = WordWeights.fit(counts, config)
    found = weights.apply(counts, config).toarray()
    assert weights.mean_length == (1 + 2 + 10) / 3
    assert found[0, 0] > found[1, 0] > found[2, 0]
    assert weights.idf[1] > weights.idf[0]


def test_documents_without_words_do_not_shorten_the_mean_length():
    config = TextConfig(weighting="bm25")
    assert WordWeights.fit(csr_matrix([[0, 0], [2, 1], [0, 0]]), config).mean_length == 3


def test_fractions_in_ready_made_bags_count_as_such():
    config = TextConfig(weighting="bm25")
    halves = csr_matrix([[0.5, 0.0], [1.5, 0.5]])
    weights = WordWeights.fit(halves, config)
    assert weights.mean_length == (0.5 + 2.0) / 2
    expected = bm25_by_loops(halves * 4, halves * 4, 4 * config.bm25_k1, config.bm25_b)
    found = weights.apply(halves, config).toarray() * (4 * config.bm25_k1 + 1)
    np.testing.assert_allclose(found / (config.bm25_k1 + 1), expected, rtol=1e-6)
