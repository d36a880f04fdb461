"""A table is read as a dataset has read its own, by what was fitted alone."""

import logging
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.features.fitted_features import FITTED_FILES, FittedFeatures
from recsparse.datasets.features.groups import groups_of
from recsparse.errors import InputError, MissingFileError, SchemaError
from tests.prepared import prepared

ROWS = [*((user, item) for user in range(5) for item in range(6)), (1, 0), (2, 8)]
PARTS = ["train"] * 30 + ["validation", "test"]
IDS = [7, 3, 0, 8, 5, 1, 40, 2]
ALL = [
    "split.kind=given", "text.log_columns=['review']", "features.categories=['kind', 'tags']",
    "features.numbers=['price', 'year', 'tags_size']", "features.vectors=['shape', 'look']",
]  # fmt: skip
TEXTS = {
    "tfidf": ["text.ngrams=[1, 2]"],
    "bm25": ["text.weighting=bm25", "text.columns=['title', 'plot']"],
    "binary": ["text.weighting=binary", "text.analyzer=char_wb", "text.ngrams=[2, 3]"],
    "hashed": ["text.hashed_words=64"],
    "bags": ["text.bag_columns=['words', 'counts']"],
    "list": ["text.columns=['tags', 'words']"],
}


def table(numbers=IDS):
    """Return items; some lack what others have."""
    return pa.table(
        {
            "item_id": [*numbers],
            "title": [f"Red <b>{'hen' if n % 2 else 'fox'}</b> 東京{n} w{n % 3}" for n in numbers],
            "plot": [None if n % 4 == 3 else f"a plot w{n % 2} w{n}" for n in numbers],
            "kind": pa.array([f"k{n % 4}" if n else " " for n in numbers]).dictionary_encode(),
            "tags": [None if n == 2 else [f"t{n % 3}", f"t{n}", f"t{n % 3}"] for n in numbers],
            "price": [float(n**3) / 7 if n % 3 else None for n in numbers],
            "year": pa.array([1900 + n for n in numbers], pa.int16()),
            "tags_size": [n / 3 for n in numbers],
            "shape": pa.array([None if n == 1 else [n / 3, 0.1, n % 5] for n in numbers]),
            "look": pa.array([[n / 9] for n in numbers], pa.list_(pa.float32())),
            "words": [[n, 3, n % 4] for n in numbers],
            "counts": [[1, n % 3, 2] for n in numbers],
        }
    )


def build(folder, items, settings, **columns):
    folder.mkdir(exist_ok=True)
    path = folder / "items.parquet"
    pq.write_table(items, path)
    reviews = [f"good {place % 4}th" for place in range(len(ROWS))]
    return prepared(folder, ROWS, settings, part=PARTS, review=reviews, items=path, **columns)


def same(one, other):
    """Say that groups are alike bit for bit, and in the same order."""
    assert [each[:2] for each in one] == [each[:2] for each in other]
    for first, second in zip(one, other, strict=True):
        values = [each.values for each in (first, second)]
        dense = [each if isinstance(each, np.ndarray) else each.toarray() for each in values]
        assert dense[0].dtype == dense[1].dtype == np.float32
        assert dense[0].tobytes() == dense[1].tobytes(), first.name


@pytest.fixture(scope="module", params=TEXTS)
def data(tmp_path_factory, request):
    return build(tmp_path_factory.mktemp("data"), table(), [*ALL, *TEXTS[request.param]])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    items = table([*IDS, 4])
    return build(tmp_path_factory.mktemp("plain"), items, [*ALL, "text.columns=['title']"])


def test_the_own_table_of_a_dataset_has_the_same_features_bit_for_bit(data, tmp_path):
    fitted = data.fitted_item_features
    fitted.save(tmp_path, "item")
    index = np.array(pa.concat_arrays([data.items.ids, data.unseen_items.ids])).tolist()
    order = np.array([index.index(each) for each in IDS])
    has_rows = order < len(data.items)
    expected = groups_of(data.item_side, data.item_reviews, order)
    # The log's own text is that of training rows, which new items do not have.
    reviews = next(place for place, group in enumerate(expected) if group.name == "reviews")
    assert expected[reviews].values[has_rows].nnz
    assert not expected[reviews].values[~has_rows].nnz
    size = expected[reviews].values.shape
    for some in (fitted, FittedFeatures.load(tmp_path, "item")):
        ids, found = some.read(table())
        assert ids.to_pylist() == IDS
        assert not found[reviews].values.nnz
        assert found[reviews].values.shape == size
        same([*found[:reviews], *found[reviews + 1 :]],
             [*expected[:reviews], *expected[reviews + 1 :]])  # fmt: skip
        assert [each.name for each in found] == [each.name for each in data.item_features]


@given(numbers=st.sets(st.integers(0, 60), max_size=7))
def test_an_item_has_the_same_features_whatever_else_is_in_the_table(plain, numbers):
    fitted = plain.fitted_item_features
    numbers = sorted(numbers)
    # Of types that no rows at all would not have.
    ids, together = fitted.read(table([*numbers, *IDS]).slice(0, len(numbers)))
    assert ids.to_pylist() == numbers
    assert all(each.values.shape[0] == len(numbers) for each in together)
    for place, number in enumerate(numbers):
        _, alone = fitted.read(table([number]))
        same(alone, [each._replace(values=each.values[[place]]) for each in together])


def test_files_frames_and_lists_of_them_are_read_alike(plain, tmp_path):
    fitted = plain.fitted_item_features
    expected = fitted.read(table())
    (tmp_path / "two").mkdir()
    for name, some in (("a", table(IDS[:3])), ("b", table(IDS[3:]))):
        pq.write_table(some, tmp_path / "two" / f"{name}.parquet")
    files = [tmp_path / "two" / f"{name}.parquet" for name in "ab"]
    parts = [table(IDS[:3]).to_pandas(), table(IDS[3:])]
    for given_table in (tmp_path / "two", files, parts, table().to_pandas()):
        ids, found = fitted.read(given_table)
        assert ids.equals(expected[0])
        same(found, expected[1])


def test_what_training_does_not_know_is_ignored(plain, caplog):
    strange = pa.table(
        {
            "item_id": [100, 101, 102],
            "title": ["unheard planted", None, "red unheard"],
            "kind": ["planted", None, "k1"],
            "tags": [["planted", "t0"], [None], []],
            "price": [None, np.inf, 2.0],
            "year": [None, 1e6, 1900],
            "tags_size": [1, 2, 3],
            "shape": pa.array([None, [1.0, 2, 3], None], pa.list_(pa.float64())),
            "look": pa.nulls(3, pa.list_(pa.float64())),
            "more": ["never read"] * 3,
        }
    )
    with caplog.at_level(logging.WARNING):
        _, groups = plain.fitted_item_features.read(strange)
    assert not caplog.records
    found = {each.name: each.values for each in groups}
    red = plain.words.words.index("red")
    assert found["words"].toarray().nonzero()[1].tolist() == [red]
    assert found["kind"].toarray().tolist() == [[0] * 4, [0] * 4, [0, 1, 0, 0]]
    assert found["tags"].toarray().sum(axis=1).tolist() == [1, 0, 0]
    # Missing, by null and by infinity; training has the mark of price, but none of year.
    assert found["price"][:2].tolist() == [[0, 1], [0, 1]]
    assert found["year"].shape == (3, 1)
    assert found["year"][0].tolist() == [0]
    years = 1900 + np.arange(6)
    assert found["year"][1:, 0] == pytest.approx(
        [(year - years.mean()) / years.std() for year in (1e6, 1900)], rel=1e-6
    )
    assert not found["look"].any()
    assert found["shape"].any(axis=1).tolist() == [False, True, False]


def test_columns_of_nothing_but_nulls_are_read_whatever_their_type_is(plain):
    frame = table([6, 9]).to_pandas().assign(
        title=None, kind=None, tags=None, price=None, shape=None
    )  # fmt: skip
    _, groups = plain.fitted_item_features.read(frame)
    found = {each.name: each.values for each in groups}
    for name in ("words", "kind", "tags"):
        assert not found[name].nnz
    assert found["price"].tolist() == [[0, 1]] * 2
    assert not found["shape"].any()


def test_a_column_of_which_nothing_is_known_is_said(plain, caplog):
    strange = table([100, 101]).to_pandas().assign(kind="planted", title="unheard")
    with caplog.at_level(logging.WARNING):
        plain.fitted_item_features.read(strange)
    assert re.findall(r"none of the 2 rows of the frame given as items has any of the (.*) that",
                      caplog.text) == ["words of 'words'", "categories of 'kind'"]  # fmt: skip


def test_a_table_without_rows_gives_groups_without_rows(plain):
    ids, groups = plain.fitted_item_features.read(table()[:0])
    assert len(ids) == 0
    assert [each.name for each in groups] == [each.name for each in plain.item_features]
    for one, other in zip(groups, plain.item_features, strict=True):
        assert one.values.shape == (0, other.values.shape[1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"price": None}, SchemaError, "frame given as items must have the column 'price', but"),
        ({"title": None}, SchemaError, "must have the column 'title', but"),
        ({"item_id": None}, SchemaError, "must have the column 'item_id', but"),
        ({"title": [1.0, 2.0]}, SchemaError, "text column 'title' of .* must hold strings, .* dou"),
        ({"kind": [1.0, 2.0]}, SchemaError, "'kind' of .* must hold categories .* holds double"),
        ({"price": ["a", "b"]}, SchemaError, "'price' of .* must hold numbers, but holds string"),
        ({"shape": ["a", "b"]}, SchemaError, "'shape' of .* must hold vectors, .* holds string"),
        (
            {"shape": [[1.0, 2.0, 3.0], [1.0, 2.0]]}, InputError,
            "'shape' must have one length, that of those of training, 3, but that of 9 .* has 2",
        ),
        ({"shape": [[1.0], [1.0]]}, InputError, "those of training, 3, but that of 6 in .* has 1"),
        ({"shape": [[1.0, np.nan, 1.0], None]}, InputError, "finite numbers .* of 6 in .* has nan"),
        (
            {"shape": pa.array([None, [1.0, None, 2.0]])}, InputError,
            "finite numbers .* of 9 in .* has nan",
        ),
        ({"item_id": [6, 6]}, InputError, "every id of .* must occur once, but .* is 6"),
        ({"item_id": [6, None]}, InputError, "every row of .* must have an id, but 1 of 2"),
        ({"item_id": ["a", "b"]}, InputError, "ids must be of the type int64, as in the log, but"),
        ({"item_id": [1.5, 2]}, SchemaError, "'item_id' of .* must hold integers or strings"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(plain, change, error, message):
    strange = table([6, 9])
    for name, values in change.items():
        strange = strange.drop_columns(name)
        if values is not None:
            strange = strange.append_column(name, pa.array(values))
    with pytest.raises(error, match=message):
        plain.fitted_item_features.read(strange)


def test_without_a_table_there_are_none(tmp_path):
    assert prepared(tmp_path, ROWS, ["split.kind=given"], part=PARTS).fitted_item_features is None


def test_ids_are_made_those_of_the_log_where_that_is_set(tmp_path):
    settings = ["split.kind=given", "log.id_type=string"]
    items = table().select(["item_id", "title"])
    pq.write_table(items, tmp_path / "items.parquet")
    data = prepared(tmp_path, ROWS, settings, part=PARTS, items=tmp_path / "items.parquet")
    data.fitted_item_features.save(tmp_path, "item")
    ids, _ = FittedFeatures.load(tmp_path, "item").read(items)
    assert ids.to_pylist() == [str(each) for each in IDS]


def test_string_columns_that_training_did_not_have_are_not_read(tmp_path):
    data = build(tmp_path, table().select(["item_id", "kind"]),
                 ["split.kind=given", "features.categories=['kind']"])  # fmt: skip
    _, groups = data.fitted_item_features.read(table())
    assert [each.name for each in groups] == ["kind"]


def test_an_older_folder_whose_columns_of_text_are_unknown_has_none(tmp_path):
    data = build(tmp_path, table().select(["item_id", "title"]), ["split.kind=given"])
    assert data.fitted_item_features.columns.text == ("title",)
    path = tmp_path / "dataset" / "item_words.parquet"
    words = pq.read_table(path)
    old = words.schema.metadata[b"recsparse.text"].replace(b'"columns": ["title"], ', b"")
    assert b"columns" not in old.replace(b"bag_columns", b"")
    pq.write_table(words.replace_schema_metadata({b"recsparse.text": old}), path)
    assert load_dataset(tmp_path / "dataset", check=False).fitted_item_features is None


def test_only_the_files_that_are_named_are_written_and_damage_is_said(data, tmp_path):
    fitted = data.fitted_item_features
    fitted.save(tmp_path, "item")
    names = {f"item{name}" for name in FITTED_FILES}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names:
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match=re.escape(str(tmp_path / name))):
            FittedFeatures.load(tmp_path, "item")
        (tmp_path / name).unlink()
        with pytest.raises(MissingFileError, match=re.escape(str(tmp_path / name))):
            FittedFeatures.load(tmp_path, "item")
        (tmp_path / name).write_bytes(whole)
    assert FittedFeatures.load(tmp_path, "item").columns == fitted.columns
