import errno
import math
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.data_config import TextConfig
from recsparse.datasets.text import BagOfWords
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


def test_no_text_at_all_gives_no_row():
    assert BagOfWords.fit(TEXTS, TextConfig()).transform([]).shape[0] == 0


def test_rare_words_are_left_out():
    assert BagOfWords.fit(TEXTS, TextConfig(min_documents=2)).words == ("fox", "hen", "red")


def test_the_most_frequent_words_stay():
    assert BagOfWords.fit(TEXTS, TextConfig(max_words=2)).words == ("fox", "red")


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
