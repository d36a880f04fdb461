import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import TextConfig
from recsparse.datasets.features.side_table import SideColumns, fit_side_features
from recsparse.errors import InputError, MissingFileError
from tests.prepared import contents, ids, prepared, prepared_files

# Items 0 to 3 and users 0 to 3 are trained on, item 8 and user 8 come later.
ROWS = [*((user, item) for user in range(4) for item in range(4)), (1, 8), (8, 1)]
PARTS = ["train"] * 15 + ["validation", "test", "test"]
REVIEWS = [f"seen{place % 3}" for place in range(15)] + ["planted one", "planted two", "planted"]
ITEMS = {
    "item_id": [3, 0, 1],
    "title": ["red fox", "red hen", "owl 東京"],
    "genres": [["a", "b"], ["b"], None],
    "price": [1.0, 2.0, None],
}
LATER_ITEM = {
    "item_id": [8], "title": ["planted red red"], "genres": [["planted", "b"]], "price": [1e6],
}  # fmt: skip
USERS = {"user_id": [1, 2], "about": ["likes hens", "likes owls"], "job": ["x", "y"], "age": [3, 5]}
LATER_USER = {"user_id": [8], "about": ["planted likes"], "job": ["planted"], "age": [999]}
SETTINGS = [
    "split.kind=given", "text.log_columns=['review']", "text.columns=['title']",
    "features.categories=['genres']", "features.numbers=['price']", "text.user_columns=['about']",
    "features.user_categories=['job']", "features.user_numbers=['age']",
]  # fmt: skip
FITTED = [
    f"{axis}_{name}.parquet"
    for axis in ("user", "item")
    for name in ("words", "categories", "number_scales", "reviews_words", "order")
]


def table_of(*columns):
    return pa.concat_tables([pa.table(each) for each in columns])


def build(folder, items, users, settings=SETTINGS, rows=ROWS, parts=PARTS, reviews=REVIEWS):
    """Prepare a log with reviews and the tables that there are."""
    folder.mkdir()
    tables = {}
    for name, table in (("items", items), ("users", users)):
        if table is not None:
            tables[name] = folder / f"{name}.parquet"
            pq.write_table(table, tables[name])
    return prepared(folder, rows, settings, part=parts, review=reviews, **tables)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted") / "all"
    return build(folder, table_of(ITEMS, LATER_ITEM), table_of(USERS, LATER_USER))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compared")


def test_items_have_features_from_their_table(data):
    side = data.item_side
    assert data.items.ids.to_pylist() == [0, 1, 2, 3]
    assert data.unseen_items.ids.to_pylist() == [8]
    assert side.words.words == ("fox", "hen", "owl", "red", "東京")
    assert (side.bags.toarray() > 0).astype(int).tolist() == [
        [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [0] * 5, [1, 0, 0, 1, 0], [0, 0, 0, 1, 0],
    ]  # fmt: skip
    assert side.categories.names == ("genres=a", "genres=b")
    assert side.categories.cells.toarray().tolist() == [[0, 1], [0, 0], [0, 0], [1, 1], [0, 1]]
    assert side.numbers.names == ("price", "price is missing")
    assert side.numbers.values[:4].tolist() == [[1, 0], [0, 1], [0, 1], [-1, 0]]
    assert (data.item_features[0].values != side.bags[:4]).nnz == 0


def test_users_have_features_from_theirs(data):
    side = data.user_side
    assert side.words.words == ("hens", "likes", "owls")
    assert side.bags.shape == (5, 3)
    assert side.categories.names == ("job=x", "job=y")
    assert side.numbers.values[:4].tolist() == [[0, 1], [-1, 0], [1, 0], [0, 1]]


def test_both_have_the_reviews_of_training_rows(data):
    for side in (data.user_reviews, data.item_reviews):
        assert side.words.words == ("seen0", "seen1", "seen2")
        assert side.bags.shape == (5, 3)
        assert side.bags[4].nnz == 0
    # Item 0 is in the rows 0, 4, 8 and 12.
    assert data.item_reviews.bags[0].nnz == len({0 % 3, 4 % 3, 8 % 3, 12 % 3})


def test_what_was_found_is_counted(data):
    found = {name: count for name, count in data.counts.items() if "_table_" in name}
    assert found == {
        "user_table_not_in_table": 2, "user_table_words": 3,
        "user_table_without_text": 2, "item_table_not_in_table": 1,
        "item_table_words": 5, "item_table_without_text": 1,
    }  # fmt: skip
    assert (data.counts["user_review_words"], data.counts["item_review_words"]) == (3, 3)


@pytest.mark.parametrize("axis", ["item", "user"])
def test_bags_of_a_dataset_are_those_that_its_words_give(data, axis):
    texts = {"item": ["red hen", "owl 東京", "", "red fox", "planted red red"],
             "user": ["", "likes hens", "likes owls", "", "planted likes"]}[axis]  # fmt: skip
    side = getattr(data, f"{axis}_side")
    assert (side.words.transform(texts) != side.bags).nnz == 0
    reviews = getattr(data, f"{axis}_reviews")
    first = [REVIEWS[place] for place in range(15) if ROWS[place][axis == "item"] == 2]
    again = reviews.words.transform([" ".join(first)])
    assert (again != reviews.bags[2]).nnz == 0


def test_features_of_a_dataset_are_those_of_the_table(data, tmp_path):
    path = tmp_path / "items.parquet"
    pq.write_table(table_of(LATER_ITEM, ITEMS), path)
    columns = SideColumns("item_id", ["title"], ["genres"], ["price"])
    direct, others = fit_side_features(path, columns, data.items, data.unseen_items, TextConfig())
    assert len(others) == 0
    assert (direct.bags != data.item_side.bags).nnz == 0
    assert (direct.categories.cells != data.item_side.categories.cells).nnz == 0
    assert direct.numbers.values.tolist() == data.item_side.numbers.values.tolist()


@pytest.mark.parametrize("weighting", ["tfidf", "bm25"])
def test_nothing_planted_behind_the_split_is_fitted(folder, weighting):
    settings = [*SETTINGS, f"text.weighting={weighting}"]
    with_it = table_of(LATER_ITEM, ITEMS), table_of(USERS, LATER_USER)
    plain = ["", "", ""]
    build(folder / f"without {weighting}", table_of(ITEMS), table_of(USERS), settings,
          reviews=REVIEWS[:15] + plain)  # fmt: skip
    build(folder / f"with {weighting}", *with_it, settings)
    # The same tables and texts, but training has a row of the later user and item.
    leak = {"rows": [*ROWS, (8, 8)], "parts": [*PARTS, "train"], "reviews": [*REVIEWS, "planted"]}
    build(folder / f"leaked {weighting}", *with_it, settings, **leak)
    without, planted, leaked = (
        contents(folder / f"{name} {weighting}" / "dataset")
        for name in ("without", "with", "leaked")
    )
    assert [name for name in FITTED if without[name] != planted[name]] == []
    # The test would see a leak.
    assert [name for name in FITTED if without[name] == leaked[name]] == []


def test_rows_of_tables_in_another_order_change_no_byte(tmp_path):
    rng = np.random.default_rng(0)
    items, users = table_of(ITEMS, LATER_ITEM), table_of(USERS, LATER_USER)
    build(tmp_path / "first", items, users)
    build(tmp_path / "second", items.take(rng.permutation(4)), users.take(rng.permutation(3)))
    assert contents(tmp_path / "first" / "dataset") == contents(tmp_path / "second" / "dataset")


def test_ready_made_bags_are_those_of_items_alone(tmp_path):
    items = pa.table({"item_id": [0, 8], "words": [[2], [2, 5]], "counts": [[3], [1, 1]]})
    users = table_of(USERS)
    settings = ["split.kind=given", "text.bag_columns=['words','counts']", "text.weighting=counts"]
    data = build(tmp_path / "bags", items, users, settings)
    assert data.item_side.bags.toarray().tolist() == [
        [0, 0, 3], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1],
    ]  # fmt: skip
    assert data.user_side.words.words == ("hens", "likes", "owls")


def test_without_tables_and_reviews_there_are_no_features(tmp_path):
    data = build(tmp_path / "none", None, None, ["split.kind=given"])
    for side in (data.user_side, data.item_side, data.user_reviews, data.item_reviews):
        assert (side.words, side.bags, side.categories, side.numbers) == (None,) * 4
    assert not [name for name in data.counts if "table" in name or "words" in name]


def test_an_order_by_text_needs_text(tmp_path):
    settings = ["split.kind=given", "order.kind=text"]
    with pytest.raises(InputError, match=r"order\.kind = text needs the text of items, but there"):
        build(tmp_path / "none", None, None, settings)
    data = build(tmp_path / "text", table_of(ITEMS), None, settings)
    index = data.item_order.index.tolist()
    assert abs(index.index(0) - index.index(3)) == 1  # both are red


def test_reviews_without_a_word_in_training_are_refused(tmp_path):
    with pytest.raises(InputError, match="a word must occur in 1 of 4 texts, but none does"):
        build(
            tmp_path / "silent", None, None, SETTINGS, reviews=[*["", None] * 7, "", *REVIEWS[15:]]
        )


@pytest.mark.parametrize("axis", ["item", "user"])
def test_a_bad_table_leaves_the_old_dataset(tmp_path, axis):
    build(tmp_path / "old", table_of(ITEMS), table_of(USERS))
    log, out = tmp_path / "old" / "log.parquet", tmp_path / "old" / "dataset"
    before = contents(out)
    path = tmp_path / "bad.parquet"
    with pytest.raises(MissingFileError, match=r"bad\.parquet must be a Parquet or CSV file"):
        prepared_files(log, out, ["split.kind=given"], **{f"{axis}s": path})
    pq.write_table(pa.table({f"{axis}_id": ["a"], "text": ["red"]}), path)
    with pytest.raises(InputError, match=r"of the type int64, as in the log, but .* holds string"):
        prepared_files(log, out, ["split.kind=given"], **{f"{axis}s": path})
    assert contents(out) == before


def test_a_bad_table_is_seen_before_the_log_is_read(tmp_path, monkeypatch):
    def read(*_):
        raise AssertionError("the log was read")

    monkeypatch.setattr("recsparse.datasets.building.intake.Intake.read", read)
    for number, (column, values, message) in enumerate(
        [
            ("item_id", ["a"], "of the type int64, as in the log, but"),
            ("title", [3], "'title' of .* must hold strings"),
            ("genres", [0.5], "'genres' of .* must hold categories"),
            ("price", ["1"], "'price' of .* must hold numbers"),
        ]
    ):
        table = pa.table({name: values[:1] for name, values in ITEMS.items()} | {column: values})
        with pytest.raises(InputError, match=message):
            build(tmp_path / str(number), table, None)
    with pytest.raises(InputError, match="must have the column 'about', but it has user_id"):
        build(tmp_path / "users", None, pa.table({"user_id": [1]}))


def test_string_ids_find_their_features(tmp_path):
    rows = [(f"ü{user}", f"é{item}") for user, item in ROWS]
    items = pa.table({**ITEMS, "item_id": ids([f"é{item}" for item in ITEMS["item_id"]])})
    data = build(tmp_path / "strings", items, None, rows=rows)
    assert data.items.ids.to_pylist() == ["é0", "é1", "é2", "é3"]
    assert data.item_side.bags[1].indices.tolist() == [2, 4]


def test_citeulike_has_the_words_that_were_published(real_data, tmp_path):
    source = real_data / "citeulike-t"
    log = pq.read_table(source / "interactions.parquet", columns=["user_id", "item_id"])
    items = pq.read_table(source / "items.parquet", columns=["item_id"])["item_id"]
    # One more user has every article, so that each is in the training rows.
    everything = pa.table({"user_id": pa.array([-1] * len(items), pa.int32()), "item_id": items})
    parts = np.array(["train", "validation", "test"])[np.arange(log.num_rows) % 100 // 49]
    table = pa.concat_tables([log, everything])
    parts = pa.array([*parts.tolist(), *["train"] * len(items)])
    pq.write_table(table.append_column("part", parts), tmp_path / "log.parquet")
    data = prepared_files(
        tmp_path / "log.parquet",
        tmp_path / "dataset",
        [
            "split.kind=given",
            "text.weighting=counts",
            "text.bag_columns=['word_ids','word_counts']",
        ],
        items=source / "items.parquet",
    )
    assert data.item_side.bags.shape == (25_975, 20_000)
    assert data.item_side.bags.nnz == 490_708
    assert data.counts["item_table_without_text"] == 31
    assert data.counts["item_table_not_in_table"] == data.counts["items_only_in_table"] == 0
