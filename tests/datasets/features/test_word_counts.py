import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from recsparse.config.data import TextConfig
from recsparse.datasets.features.word_counts import count_hashed_words, count_words

WORDS = ["red", "fox", "hen", "x", "B2", "re-do"]
TEXTS = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), min_size=1, max_size=12
)


def chunks(texts, order, size):
    """Yield the texts in another order, so many at a time; an empty chunk first."""
    yield np.arange(0), []
    for start in range(0, len(order), size):
        some = order[start : start + size]
        yield np.array(some), [texts[number] for number in some]


def dense(counts):
    assert counts.dtype == np.int32
    assert counts.has_canonical_format
    return counts.toarray().tolist()


@given(texts=TEXTS, size=st.integers(1, 12), data=st.data())
def test_chunks_in_any_order_are_counted_as_the_whole_corpus(texts, size, data):
    theirs = CountVectorizer(token_pattern=r"\S+")
    order = data.draw(st.permutations(range(len(texts))))
    counts, words = count_words(chunks(texts, order, size), len(texts), theirs.build_analyzer())
    if not "".join(texts):
        assert (words, counts.shape) == ([], (len(texts), 0))
        return
    expected = theirs.fit_transform(texts)
    assert words == theirs.get_feature_names_out().tolist()
    assert dense(counts) == expected.toarray().tolist()


@given(texts=TEXTS, size=st.integers(1, 12), places=st.integers(1, 40), data=st.data())
def test_hashed_words_have_the_places_of_scikit_learn(texts, size, places, data):
    theirs = HashingVectorizer(n_features=places, alternate_sign=False, norm=None)
    order = data.draw(st.permutations(range(len(texts))))
    config = TextConfig(hashed_words=places)
    counts = count_hashed_words(chunks(texts, order, size), len(texts), config)
    assert dense(counts) == theirs.transform(texts).toarray().tolist()


@given(
    texts=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["red", "red fox", ""]))),
    size=st.integers(1, 12),
)
def test_a_document_in_several_texts_has_the_sums_of_their_counts(texts, size):
    pieces = [texts[start : start + size] for start in range(0, len(texts), size)]
    by_chunk = [(np.array([row for row, _ in some]), [text for _, text in some]) for some in pieces]
    counts, words = count_words(by_chunk, 4, str.split)
    expected = [" ".join(text for row, text in texts if row == document) for document in range(4)]
    assert dense(counts) == [[text.split().count(word) for word in words] for text in expected]
    hashed = count_hashed_words(by_chunk, 4, TextConfig(hashed_words=5))
    hasher = HashingVectorizer(n_features=5, alternate_sign=False, norm=None)
    assert dense(hashed) == hasher.transform(expected).toarray().tolist()


def test_documents_that_do_not_come_have_no_words():
    counts, words = count_words([(np.array([3, 1]), ["b a b", "c"])], 5, str.split)
    assert words == ["a", "b", "c"]
    assert dense(counts) == [[0, 0, 0], [0, 0, 1], [0, 0, 0], [1, 2, 0], [0, 0, 0]]
    hashed = count_hashed_words([(np.array([3]), ["red red"])], 5, TextConfig(hashed_words=1))
    assert dense(hashed) == [[0], [0], [0], [2], [0]]


@pytest.mark.parametrize("num_documents", [0, 2])
def test_no_text_at_all_gives_no_words(num_documents):
    counts, words = count_words([], num_documents, str.split)
    assert (counts.shape, words) == ((num_documents, 0), [])
    assert count_hashed_words([], num_documents, TextConfig(hashed_words=3)).shape == (
        num_documents,
        3,
    )


def test_an_analyser_may_give_anything_to_count():
    counts, words = count_words([(np.array([0, 1]), [["b", "a", "b"], []])], 2, iter)
    assert (words, dense(counts)) == (["a", "b"], [[1, 2], [0, 0]])


def test_messages_of_newsgroups_are_counted_as_by_scikit_learn(real_data):
    path = real_data / "20newsgroups-bydate" / "train.parquet"
    texts = pq.read_table(path, columns=["text"])["text"].to_pylist()[:1_500]
    theirs = CountVectorizer()
    expected = theirs.fit_transform(texts)
    order = np.random.default_rng(0).permutation(len(texts)).tolist()
    counts, words = count_words(chunks(texts, order, 97), len(texts), theirs.build_analyzer())
    assert words == theirs.get_feature_names_out().tolist()
    assert (counts != expected).nnz == 0
