import errno
import math
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)

from recsparse.config.data import TextConfig
from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.errors import InputError, MissingFileError, OutputError, SchemaError

TEXTS = ["The red fox", "a red, red hen", "Hen & fox; FOX", "x"]
COUNTS = TextConfig(weighting="counts")

texts_of_few_words = st.lists(
    st.lists(st.sampled_from(["red", "fox", "hen", "x", "Élan"]), max_size=6).map(" ".join),
    max_size=6,
)


def words_of(text):
    return re.findall(r"\w\w+", text.lower())


def tfidf_by_hand(texts, documents):
    """The formula of scikit-learn's guide: tf × (ln((1 + n) / (1 + df)) + 1), L2-normalised."""
    words = sorted({word for text in documents for word in words_of(text)})
    rows = []
    for text in texts:
        row = []
        for word in words:
            df = sum(word in words_of(document) for document in documents)
            idf = math.log((1 + len(documents)) / (1 + df)) + 1
            row.append(words_of(text).count(word) * idf)
        norm = math.sqrt(sum(value * value for value in row)) or 1.0
        rows.append([value / norm for value in row])
    return np.array(rows).reshape(len(texts), len(words))


@given(texts_of_few_words)
def test_tfidf_is_the_formula(texts):
    bag = BagOfWords.fit(TEXTS, TextConfig())
    x = bag.transform(texts)
    assert x.shape == (len(texts), len(bag.words))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.toarray(), tfidf_by_hand(texts, TEXTS), atol=1e-6)


@given(texts_of_few_words)
def test_counts_are_counts(texts):
    bag = BagOfWords.fit(TEXTS, COUNTS)
    expected = [[float(words_of(text).count(word)) for word in bag.words] for text in texts]
    assert bag.transform(texts).toarray().tolist() == expected


def test_words_are_in_alphabetical_order():
    bag = BagOfWords.fit(TEXTS, COUNTS)
    assert bag.words == ("fox", "hen", "red", "the")
    assert len(bag) == 4


def test_a_text_without_known_words_is_an_empty_row():
    x = BagOfWords.fit(TEXTS, TextConfig()).transform(["", "blue", "fox"])
    assert x.nonzero()[0].tolist() == [2]
    assert x.shape[0] == 3


@pytest.mark.parametrize("hashed_words", [0, 5])
def test_no_text_at_all_gives_no_row(hashed_words):
    bag = BagOfWords.fit(TEXTS, TextConfig(hashed_words=hashed_words))
    assert bag.transform([]).shape == (0, len(bag))


@pytest.mark.parametrize("analyzer", ["word", "char", "char_wb"])
@pytest.mark.parametrize("weighting", ["counts", "tfidf"])
@given(
    texts=texts_of_few_words.filter(lambda texts: len(texts) > 1),
    ngrams=st.sampled_from([(1, 1), (1, 2), (2, 3)]),
    least=st.integers(1, 2),
)
def test_words_of_training_texts_weigh_as_in_scikit_learn(
    analyzer, weighting, texts, ngrams, least
):
    texts = ["red fox", "red hen", *texts]
    num_train = (len(texts) + 2) // 2
    config = TextConfig(analyzer=analyzer, weighting=weighting, ngrams=ngrams, min_documents=least)
    kind = TfidfVectorizer if weighting == "tfidf" else CountVectorizer
    theirs = kind(analyzer=analyzer, ngram_range=ngrams, min_df=least)
    try:
        expected = theirs.fit(texts[:num_train]).transform(texts)
    except ValueError:  # no word is left
        assume(False)
    chunks = [(np.arange(2, len(texts)), texts[2:]), (np.array([1, 0]), [texts[1], texts[0]])]
    bag, bags = BagOfWords.fit_chunks(chunks, num_train, len(texts), config)
    assert bag.words == tuple(theirs.get_feature_names_out())
    np.testing.assert_allclose(bags.toarray(), expected.toarray(), rtol=1e-6)
    assert (bag.transform(texts) != bags).nnz == 0


@given(
    texts=texts_of_few_words,
    least=st.integers(1, 3),
    most=st.integers(1, 5),
    num_train=st.integers(0, 6),
)
def test_the_most_frequent_words_of_enough_training_texts_stay(texts, least, most, num_train):
    config = TextConfig(weighting="counts", min_documents=least, max_words=most)
    train = [words_of(text) for text in texts[:num_train]]
    everything = [word for words in train for word in words]
    enough = [word for word in set(everything) if sum(word in words for words in train) >= least]
    # Of equally many occurrences the first by the alphabet.
    expected = sorted(sorted(enough, key=lambda word: (-everything.count(word), word))[:most])
    chunks = [(np.arange(len(texts)), texts)]
    size = min(num_train, len(texts))
    if not expected:
        with pytest.raises(InputError, match=f"must occur in {least} of {size} texts"):
            BagOfWords.fit_chunks(chunks, size, len(texts), config)
        return
    bag, bags = BagOfWords.fit_chunks(chunks, size, len(texts), config)
    assert list(bag.words) == expected
    counted = [[float(words_of(text).count(word)) for word in expected] for text in texts]
    assert bags.toarray().tolist() == counted


def test_hashed_words_weigh_by_the_training_texts_of_their_place():
    config = TextConfig(hashed_words=3)
    bag, bags = BagOfWords.fit_chunks([(np.arange(4), TEXTS)], 2, 4, config)
    hasher = HashingVectorizer(n_features=3, alternate_sign=False, norm=None)
    counts = hasher.transform(TEXTS)
    expected = TfidfTransformer().fit(counts[:2]).transform(counts)
    np.testing.assert_allclose(bags.toarray(), expected.toarray(), rtol=1e-6)
    assert bag.words == ("0", "1", "2")
    assert bag.transform(["never seen before"]).nnz > 0


def test_rare_words_are_left_out():
    assert BagOfWords.fit(TEXTS, TextConfig(min_documents=2)).words == ("fox", "hen", "red")


@pytest.mark.parametrize("texts", [[], [""], ["x y", "?"]])
@pytest.mark.parametrize("weighting", ["tfidf", "counts"])
def test_texts_without_a_word_are_refused(texts, weighting):
    with pytest.raises(InputError, match=f"in 1 of {len(texts)} texts, but none does"):
        BagOfWords.fit(texts, TextConfig(weighting=weighting))


@pytest.mark.parametrize("min_documents", [3, 5])
def test_a_bound_that_no_word_reaches_is_refused(min_documents):
    with pytest.raises(InputError, match=r"lower text\.min_documents"):
        BagOfWords.fit(TEXTS, TextConfig(min_documents=min_documents))


@pytest.mark.parametrize("weighting", ["tfidf", "counts"])
def test_a_saved_bag_gives_equal_bags(weighting, tmp_path):
    bag = BagOfWords.fit(TEXTS, TextConfig(weighting=weighting))
    bag.save(tmp_path / "words.parquet")
    loaded = BagOfWords.load(tmp_path / "words.parquet")
    assert loaded.words == bag.words
    assert loaded.weighting == bag.weighting == weighting
    x, y = bag.transform(TEXTS), loaded.transform(TEXTS)
    assert (x != y).nnz == 0


def test_saving_twice_gives_the_same_bytes(tmp_path):
    bag = BagOfWords.fit(TEXTS, TextConfig())
    bag.save(tmp_path / "a.parquet")
    bag.save(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"words\.parquet"):
        BagOfWords.load(tmp_path / "words.parquet")


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "words.parquet"
    BagOfWords.fit(TEXTS, TextConfig()).save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SchemaError, match=r"words\.parquet must be a whole Parquet file"):
        BagOfWords.load(path)


def test_a_file_of_something_else_lists_its_columns(tmp_path):
    pq.write_table(pa.table({"item_id": [1]}), tmp_path / "words.parquet")
    with pytest.raises(SchemaError, match=r"but has \['item_id'\]"):
        BagOfWords.load(tmp_path / "words.parquet")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "words.parquet"
    BagOfWords.fit(TEXTS, COUNTS).save(path)
    before = path.read_bytes()

    def fail(table, target, **_):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OutputError, match="needs more room"):
        BagOfWords.fit(TEXTS, TextConfig()).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
