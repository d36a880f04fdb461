import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.items import read_items
from recsparse.errors import InputError, MissingFileError, SchemaError


def read(folder, *text_columns, **columns):
    path = folder / "items.parquet"
    pq.write_table(pa.table(columns), path)
    return read_items(path, "item_id", text_columns)


def test_all_string_columns_are_joined_in_the_order_of_the_file(tmp_path):
    items = read(
        tmp_path,
        title=["Alien", "Heat"],
        item_id=[7, 3],
        year=[1979, 1995],
        plot=pa.array(["in space", "in town"], pa.large_string()),
    )
    assert items.ids.equals(pa.array([7, 3]))
    assert items.texts == ("Alien in space", "Heat in town")


def test_named_columns_are_joined_in_the_order_named(tmp_path):
    columns = {"item_id": [1], "a": ["x"], "b": ["y"], "c": ["z"]}
    assert read(tmp_path, "b", "a", **columns).texts == ("y x",)
    assert read(tmp_path, "b", "a", "b", **columns).texts == ("y x y",)


def test_string_ids_are_no_text_unless_named(tmp_path):
    columns = {"item_id": ["red fox"], "title": ["hen"]}
    assert read(tmp_path, **columns).texts == ("hen",)
    assert read(tmp_path, "item_id", "title", **columns).texts == ("red fox hen",)


def test_missing_text_leaves_no_blank(tmp_path):
    items = read(tmp_path, item_id=[1, 2, 3, 4], a=["x", None, "", None], b=["y", "y", "y", None])
    assert items.texts == ("x y", "y", "y", "")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), "dictionary"])
def test_every_way_to_store_strings_is_the_same(tmp_path, kind):
    column = pa.array(["é", None, "日本"])
    column = column.dictionary_encode() if kind == "dictionary" else column.cast(kind)
    items = read(tmp_path, item_id=[1, 2, 3], title=column)
    assert items.texts == ("é", "", "日本")


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), "dictionary"])
def test_ids_are_kept_as_those_of_a_log(tmp_path, kind):
    column = pa.array(["b", "a"])
    column = column.dictionary_encode() if kind == "dictionary" else column.cast(kind)
    items = read(tmp_path, item_id=column, title=["x", "y"])
    assert items.ids.equals(pa.array(["b", "a"]))


def test_a_folder_of_parts_is_one_table(tmp_path):
    for number in range(2):
        table = pa.table({"item_id": [number], "title": [f"film {number}"]})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    items = read_items(tmp_path, "item_id")
    assert (items.ids.to_pylist(), items.texts) == ([0, 1], ("film 0", "film 1"))


def test_no_items_have_no_text(tmp_path):
    items = read(tmp_path, item_id=pa.array([], pa.int32()), title=pa.array([], pa.string()))
    assert (items.ids.to_pylist(), items.texts) == ([], ())


def test_null_ids_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"every item of .* must have an id, but 2 of 3 have none"):
        read(tmp_path, item_id=[None, 1, None], title=["x", "y", "z"])


@pytest.mark.parametrize(
    ("ids", "first"),
    [
        (pa.array([1, 2, 3, 2, 3, 2]), "2"),
        (pa.array(["a", "b", "a", "b"]), "'a'"),
        (pa.array(["a", "b", "a", "b"]).dictionary_encode(), "'a'"),
    ],
)
def test_ids_that_repeat_are_refused(tmp_path, ids, first):
    message = rf"every item of .* must occur once, but 2 ids repeat; the first is {first}; drop"
    with pytest.raises(InputError, match=message):
        read(tmp_path, item_id=ids, title=["x"] * len(ids))


def test_ids_of_another_type_are_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"'item_id' of .* must hold integers or strings, but ho"):
        read(tmp_path, item_id=[1.5], title=["x"])


def test_a_table_without_text_is_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"must have a text column, but has only item_id, year"):
        read(tmp_path, item_id=["a"], year=[1979])


def test_a_text_column_that_holds_no_strings_is_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"'year' of .* must hold strings, but holds int64"):
        read(tmp_path, "title", "year", item_id=[1], title=["x"], year=[1979])


@pytest.mark.parametrize("missing", ["item_id", "plot"])
def test_missing_columns_are_named(tmp_path, missing):
    columns = {"item_id": [1], "plot": ["x"], "title": ["y"]}
    with pytest.raises(SchemaError, match=f"must have the column '{missing}', but it has "):
        read(tmp_path, "plot", **{name: columns[name] for name in columns if name != missing})


def test_a_missing_or_damaged_file_is_named(tmp_path):
    path = tmp_path / "items.parquet"
    with pytest.raises(
        MissingFileError, match=r"items\.parquet must be a Parquet or CSV file or folder"
    ):
        read_items(path, "item_id")
    pq.write_table(pa.table({"item_id": range(99), "title": ["x"] * 99}), path)
    whole = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 40 + whole[44:])
    with pytest.raises(InputError, match=r"items\.parquet must be a complete Parquet file, but re"):
        read_items(path, "item_id")


def test_public_items_have_the_text_that_pandas_reads(real_data):
    path = real_data / "movielens-100k" / "items.parquet"
    items = read_items(path, "item_id", ["title", "release_date"])
    frame = pd.read_parquet(path)
    assert items.ids.to_pylist() == frame["item_id"].tolist()
    title, date = frame["title"], frame["release_date"].fillna("")
    assert list(items.texts) == (title + " " + date).str.strip().tolist()
