import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from recsparse.config.data import TextConfig
from recsparse.datasets.features import side_rows
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_table import fit_side_features
from recsparse.errors import InputError
from tests.prepared import prepared
from tests.side_tables import BAGS, COUNTS, fit, fit_table, vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder, of module scope as hypothesis wants it."""
    return tmp_path_factory.mktemp("tables")


def assert_equal(one, other):
    assert one.counts == other.counts
    assert one.words.words == other.words.words
    for first, second in ((one.bags, other.bags), (one.categories.cells, other.categories.cells)):
        assert first.indptr.tolist() == second.indptr.tolist()
        assert first.indices.tolist() == second.indices.tolist()
        assert first.data.tobytes() == second.data.tobytes()
    assert one.categories.names == other.categories.names
    assert one.numbers.names == other.numbers.names
    assert one.numbers.values.tobytes() == other.numbers.values.tobytes()


@given(
    texts=st.lists(
        st.lists(st.sampled_from(["red", "fox", "hen", "a1", "Elan", "x"]), max_size=5).map(
            " ".join
        ),
        min_size=2,
        max_size=9,
    ),
    chunk=st.integers(1, 9),
    weighting=st.sampled_from(["counts", "tfidf"]),
    data=st.data(),
)
def test_bags_are_those_of_scikit_learn_on_all_texts(folder, texts, chunk, weighting, data):
    texts[0] = f"red {texts[0]}"
    order = data.draw(st.permutations(range(len(texts))))
    columns = {"item_id": order, "text": [texts[place] for place in order]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_rows, "_CHUNK_ROWS", chunk)
        text = TextConfig(weighting=weighting)
        found = fit_table(folder, columns, range(len(texts)), config=text)
    theirs = TfidfVectorizer() if weighting == "tfidf" else CountVectorizer()
    expected = theirs.fit_transform(texts).toarray()
    assert found.words.words == tuple(theirs.get_feature_names_out())
    np.testing.assert_allclose(found.bags.toarray(), expected, rtol=1e-6)
    again = found.words.transform(texts)
    assert again.toarray().tolist() == found.bags.toarray().tolist()


@pytest.mark.parametrize("bags", [False, True])
def test_rows_in_another_order_and_other_chunks_change_no_bit(tmp_path, monkeypatch, bags):
    rng = np.random.default_rng(0)
    size = 300
    words = [[f"w{word}" for word in rng.integers(0, 50, 5)] for _ in range(size)]
    table = pa.table(
        {
            "item_id": range(size),
            "text": [" ".join(some) for some in words],
            "words": [rng.permutation(9)[:3].tolist() for _ in range(size)],
            "counts": rng.integers(0, 5, (size, 3)).tolist(),
            "kind": words,
            "price": rng.random(size),
        }
    )
    text = TextConfig(bag_columns=("words", "counts") if bags else None, weighting="bm25")
    train, unseen, made = range(200), range(200, 290), []
    for chunk in (10_000, 7):
        monkeypatch.setattr(side_rows, "_CHUNK_ROWS", chunk)
        named = {"text": () if bags else ["text"], "categories": ["kind"], "numbers": ["price"]}
        made.append(fit_table(tmp_path, table, train, unseen, text, **named))
        table = table.take(rng.permutation(size))
    assert_equal(*made)
    assert made[0].bags.shape[0] == 300
    assert made[0].counts["not_in_table"] == 0


def test_nothing_of_an_unseen_item_is_fitted_and_it_has_a_bag_of_known_words(tmp_path):
    seen = {
        "item_id": [0, 1, 2],
        "title": ["red fox", "red hen", "fox"],
        "kind": ["x", "y", "x"],
        "price": [1.0, 2.0, 3.0],
    }
    planted = {
        "item_id": [7, 8],
        "title": ["planted fox fox", "red planted"],
        "kind": ["planted", "y"],
        "price": [1e6, None],
    }
    both = pa.concat_tables([pa.table(planted), pa.table(seen)])
    named = {"text": ["title"], "categories": ["kind"], "numbers": ["price"]}
    for weighting in ("tfidf", "bm25", "counts"):
        text = TextConfig(weighting=weighting)
        alone = fit_table(tmp_path, seen, unseen=(7, 8), config=text, **named)
        found = fit_table(tmp_path, both, unseen=(7, 8), config=text, **named)
        leaked = fit_table(tmp_path, both, train=(0, 1, 2, 7, 8), config=text, **named)
        assert found.words.words == alone.words.words == ("fox", "hen", "red")
        assert found.words.weights.mean_length == alone.words.weights.mean_length
        assert (found.bags[:3] != alone.bags[:3]).nnz == 0
        assert found.categories.names == alone.categories.names == ("kind=x", "kind=y")
        assert found.numbers.names == ("price",)
        assert found.numbers.values[:3].tolist() == alone.numbers.values[:3].tolist()
        # The test would see a leak.
        assert "planted" in leaked.words.words
        assert "kind=planted" in leaked.categories.names
        assert "price is missing" in leaked.numbers.names
        assert weighting == "counts" or (leaked.bags[:3, :3] != alone.bags[:3]).nnz
    assert found.bags[3:].toarray().tolist() == [[2, 0, 0], [0, 0, 1]]
    assert found.categories.cells[3:].toarray().tolist() == [[0, 0], [0, 1]]
    assert alone.bags[3:].nnz == 0
    assert found.counts == {"not_in_table": 0, "words": 3, "without_text": 0}
    assert alone.counts["not_in_table"] == 2


def test_ids_that_are_not_in_the_log_come_last_and_nothing_of_them_is_fitted(tmp_path):
    columns = {
        "item_id": [9, 1, 8],
        "text": ["planted fox fox", "fox", "red"],
        "kind": ["b", "b", "c"],
        "price": [7.0, 2.0, None],
        "shape": [[0.0, 9.0], [3.0, 4.0], None],
    }
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    named = SideColumns("item_id", ["text"], ["kind"], ["price"], ["shape"])
    train = vocabulary([0, 1, 2])
    found, others = fit_side_features(
        tmp_path / "items.parquet", named, train, vocabulary([]), COUNTS
    )
    assert others.ids.to_pylist() == [8, 9]
    assert found.counts == {"not_in_table": 2, "words": 1, "without_text": 2}
    assert found.words.words == ("fox",)
    assert found.bags.toarray().tolist() == [[0], [1], [0], [0], [2]]
    assert found.categories.cells.toarray().tolist() == [[0], [1], [0], [0], [1]]
    assert found.numbers.values.tolist() == [[0, 1], [0, 0], [0, 1], [0, 1], [5, 0]]
    expected = np.array([[0, 0], [3, 4], [0, 0], [0, 0], [0, 9]]) / 5
    np.testing.assert_allclose(found.vectors.values, expected, rtol=1e-6)


def test_all_string_columns_but_ids_and_features_are_text_unless_some_are_named(tmp_path):
    columns = {
        "item_id": ["a", "b"],
        "title": ["red", "fox"],
        "plot": pa.array(["in town", None], pa.large_string()),
        "kind": ["drama", "film"],
        "year": [1979, 1995],
    }
    found = fit_table(tmp_path, columns, ["a", "b"], categories=["kind"])
    assert found.words.words == ("fox", "in", "red", "town")
    named = fit_table(tmp_path, columns, ["a", "b"], config=COUNTS)
    assert named.words.words == ("drama", "film", "fox", "in", "red", "town")
    ngrams = TextConfig(weighting="counts", ngrams=(2, 2))
    path = tmp_path / "items.parquet"
    columns = SideColumns("item_id", ["plot", "title"])
    found, _ = fit_side_features(path, columns, vocabulary(["a", "b"]), vocabulary([]), ngrams)
    assert found.words.words == ("in town", "town red")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), "dictionary"])
def test_every_way_to_store_strings_is_the_same(tmp_path, kind):
    text = pa.array(["été", None, "日本"])
    item = pa.array(["b", "c", "a"])
    columns = {
        name: each.dictionary_encode() if kind == "dictionary" else each.cast(kind)
        for name, each in (("item_id", item), ("text", text))
    }
    found = fit_table(tmp_path, columns, ["a", "b", "c"])
    assert found.words.words == ("été", "日本")
    assert found.bags.toarray().tolist() == [[0, 1], [1, 0], [0, 0]]


def test_a_folder_and_a_csv_file_are_tables_too(tmp_path):
    for number in range(3):
        table = pa.table({"item_id": [number], "text": [f"film{number}"]})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    expected = ("film0", "film1", "film2")
    assert fit(tmp_path).words.words == expected
    path = tmp_path.with_suffix(".csv")
    path.write_text("item_id,text\n0,film0\n1,film1\n2,film2\n", encoding="utf-8")
    assert fit(path).words.words == expected


def test_a_text_of_a_megabyte_is_a_text(tmp_path):
    long = "<p>red fox</p> " * 70_000
    found = fit_table(tmp_path, {"item_id": [0, 1], "text": [long, "hen"]})
    assert len(long) > 1_000_000
    assert found.bags.toarray().tolist() == [[70_000, 0, 70_000], [0, 1, 0], [0, 0, 0]]


def test_ready_made_bags_are_read_as_they_are(tmp_path):
    columns = {
        "item_id": [2, 7, 0, 9, 1],
        "words": [[3, 1], [0, 5], [1, 1], [8], None],
        "counts": [[2, 7], [1, 1], [2, 3], [1], []],
        "title": ["never read"] * 5,
    }
    found = fit_table(tmp_path, columns, unseen=(7,), config=BAGS)
    # The word 5 is that of an unseen item alone, the word 8 that of no item of the log.
    assert found.words.words == ("0", "1", "2", "3")
    expected = [[0, 5, 0, 0], [0, 0, 0, 0], [0, 7, 0, 2], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found.bags.toarray().tolist() == expected
    assert found.counts == {"not_in_table": 0, "words": 4, "without_text": 1}
    with pytest.raises(InputError, match="these bags were precomputed, by number"):
        found.words.transform(["red"])


def test_ready_made_bags_may_hold_weights_and_be_weighed(tmp_path):
    columns = {"item_id": [0, 1], "words": [[0, 1], [0]], "counts": [[0.5, 1.5], [0.25]]}
    assert fit_table(tmp_path, columns, (0, 1), config=BAGS).bags.toarray().tolist() == [
        [0.5, 1.5],
        [0.25, 0],
    ]
    tfidf = TextConfig(bag_columns=("words", "counts"))
    found = fit_table(tmp_path, columns, (0, 1), config=tfidf).bags.toarray()
    idf = np.log(3 / 2) + 1
    norm = np.hypot(0.5, 1.5 * idf)
    np.testing.assert_allclose(found, [[0.5 / norm, 1.5 * idf / norm], [1, 0]], rtol=1e-6)


def test_counts_of_zero_are_no_words(tmp_path):
    columns = {"item_id": [0, 1], "words": [[0], [1, 2]], "counts": [[0], [1, 0]]}
    for weighting in ("tfidf", "bm25", "binary"):
        text = TextConfig(bag_columns=("words", "counts"), weighting=weighting)
        found = fit_table(tmp_path, columns, (0, 1), config=text)
        assert found.bags.nnz == 1
        assert len(found.words) == 2
        assert found.counts["without_text"] == 1


def test_films_have_the_tfidf_of_scikit_learn(real_data):
    path = real_data / "movielens-1m" / "items.parquet"
    frame = pd.read_parquet(path, columns=["item_id", "text"])
    frame = frame[frame["text"].map(str.isascii)].sort_values("item_id")
    train = frame["item_id"].tolist()[:3_000]
    columns = SideColumns("item_id", ["text"])
    text = TextConfig(strip_html=False, min_documents=2)
    unseen = vocabulary(frame["item_id"].tolist()[3_000:])
    found, _ = fit_side_features(path, columns, vocabulary(train), unseen, text)
    theirs = TfidfVectorizer(min_df=2)
    theirs.fit(frame["text"][:3_000])
    expected = theirs.transform(frame["text"])
    assert found.words.words == tuple(theirs.get_feature_names_out())
    assert abs(found.bags[: len(frame)] - expected).max() < 1e-6
    assert found.bags.shape[0] == 3_883


def test_the_bags_of_citeulike_are_read_whole(real_data):
    path = real_data / "citeulike-t" / "items.parquet"
    frame = pd.read_parquet(path, columns=["item_id", "word_ids", "word_counts"])
    text = TextConfig(weighting="counts", bag_columns=("word_ids", "word_counts"))
    train = vocabulary(sorted(frame["item_id"].tolist()))
    found, _ = fit_side_features(path, SideColumns("item_id"), train, vocabulary([]), text)
    assert found.bags.shape == (25_975, 20_000)
    assert found.bags.nnz == 490_708
    assert found.bags.sum() == sum(counts.sum() for counts in frame["word_counts"])
    assert found.counts["without_text"] == 31
    row = frame.set_index("item_id").loc[4_711]
    place = train.index_of([4_711])[0]
    bag = dict(zip(row["word_ids"].tolist(), row["word_counts"].tolist(), strict=True))
    assert dict(zip(found.bags[place].indices, found.bags[place].data, strict=True)) == bag


@pytest.mark.parametrize("list_of", [pa.list_, pa.large_list])
def test_lists_are_texts_of_their_elements(tmp_path, list_of):
    rows = [(user, (user + item) % 3) for user in range(6) for item in range(3)]
    table = {
        "item_id": [0, 1, 2],
        "tags": pa.array([["red fox", None, "hen"], [], None], list_of(pa.string())),
        "makers": pa.array([[3, 12], [12], [None]], list_of(pa.int64())),
    }
    pq.write_table(pa.table(table), tmp_path / "items.parquet")
    overrides = [
        "split.kind=leave_last_out", "text.columns=['tags', 'makers']", "text.weighting=counts",
        "text.min_documents=1",
    ]  # fmt: skip
    data = prepared(tmp_path, rows, overrides, items=tmp_path / "items.parquet")
    words = data.words.words
    found = [{words[place] for place in row.indices} for row in data.item_features[0].values]
    assert found == [{"red", "fox", "hen", "makers_3", "makers_12"}, {"makers_12"}, set()]
