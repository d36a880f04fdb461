import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_table import fit_side_features
from recsparse.errors import InputError, MissingFileError, SchemaError
from tests.side_tables import BAGS, COUNTS, fit, fit_table, vocabulary


@pytest.mark.parametrize("config", [COUNTS, BAGS])
def test_an_empty_table_and_one_of_other_ids_are_refused(tmp_path, config):
    columns = {"item_id": [8, 9], "text": ["a fox", "b"], "words": [[1], [2]], "counts": [[1], [1]]}
    table = pa.table(columns)
    message = r"items.parquet must have ids of the log in .*'item_id', but none of its 2 is .* is 8"
    with pytest.raises(InputError, match=message):
        fit_table(tmp_path, table, config=config)
    with pytest.raises(InputError, match=r"none of its 0 is there; name another column or table"):
        fit_table(tmp_path, table[:0], config=config)


@pytest.mark.parametrize("texts", [["", None], ["x", "?"]])
def test_texts_without_a_word_are_refused(tmp_path, texts):
    with pytest.raises(InputError, match="a word must occur in 1 of 3 texts, but none does"):
        fit_table(tmp_path, {"item_id": [0, 1], "text": pa.array(texts, pa.string())})


def test_bags_of_training_items_without_a_word_are_refused(tmp_path):
    columns = {"item_id": [0, 7], "words": [[], [2]], "counts": [[], [2]]}
    message = "must have a word, but none of 3 ids with training rows has one; leave text.bag_col"
    with pytest.raises(InputError, match=message):
        fit_table(tmp_path, columns, unseen=(7,), config=BAGS)


def test_blank_ids_are_refused_as_nulls_are(tmp_path):
    columns = {"item_id": ["", "a", None, " "], "text": ["red", "fox", "hen", "cow"]}
    with pytest.raises(InputError, match=r"every row of .* must have an id, but 3 of 4 have none"):
        fit_table(tmp_path, columns, ["a"])


def test_null_ids_are_refused(tmp_path):
    message = (
        "every row of .*items.parquet must have an id, but 2 of 3 have none, the first in row 1;"
    )
    with pytest.raises(InputError, match=message):
        fit_table(tmp_path, {"item_id": [None, 1, None], "text": ["red", "fox", "hen"]})


@pytest.mark.parametrize(
    ("found", "first"),
    [
        (pa.array([1, 2, 9, 2, 9, 2]), "2"),
        (pa.array(["a", "b", "a", "b"]), "'a'"),
        (pa.array(["a", "b", "a", "b"]).dictionary_encode(), "'a'"),
    ],
)
def test_ids_that_repeat_are_refused(tmp_path, found, first):
    rows = "2 and 4 and 1 more" if first == "2" else "1 and 3"
    message = (
        rf"every id of .*items.parquet must occur once, but 2 repeat; the first is {first}, in the "
        rf"rows {rows}; drop .* or set features.duplicates = 'last'"
    )
    train = ["a", "b"] if first == "'a'" else [1, 2]
    with pytest.raises(InputError, match=message):
        fit_table(tmp_path, {"item_id": found, "text": ["red"] * len(found)}, train)


@pytest.mark.parametrize(("train", "found"), [(["a"], [1]), ([1], ["a"])])
def test_ids_of_another_type_than_the_log_are_refused(tmp_path, train, found):
    kinds = [pa.array(each).type for each in (train, found)]
    message = f"of the type {kinds[0]}, as in the log, but .*'item_id' of .* holds {kinds[1]}; cast"
    with pytest.raises(InputError, match=message):
        fit_table(tmp_path, {"item_id": found, "text": ["red"]}, train)


@pytest.mark.parametrize("found", [[1.5], [[1]], [None]])
def test_ids_that_can_be_none_are_refused(tmp_path, found):
    with pytest.raises(SchemaError, match=r"'item_id' of .* must hold integers or strings, but ho"):
        fit_table(tmp_path, {"item_id": found, "text": ["red"]})


def test_a_table_without_anything_to_read_is_refused(tmp_path):
    message = r"items.parquet must have a text column, or .* but it has only item_id, year"
    with pytest.raises(SchemaError, match=message):
        fit_table(tmp_path, {"item_id": [1], "year": [1979]})


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            {"text": ["year"]},
            "text column 'year' of .* must hold strings, or lists of .*, but holds int64",
        ),
        ({"categories": ["price"]}, "'price' of .* must hold categories .* but holds double"),
        ({"numbers": ["title"]}, "'title' of .* must hold numbers, but holds string"),
        ({"text": ["titel"]}, "must have the column 'titel', but it has .*; .*title"),
        ({"categories": ["kind"]}, "must have the column 'kind', but it has "),
        ({"numbers": ["cost"]}, "must have the column 'cost', but it has "),
        ({"text": ["title"], "ids": "id"}, "must have the column 'id', but it has "),
    ],
)
def test_columns_that_are_missing_or_of_another_type_are_named(tmp_path, named, message):
    path = tmp_path / "items.parquet"
    columns = {"item_id": [1], "title": ["x red"], "year": [1979], "price": [0.5]}
    pq.write_table(pa.table(columns), path)
    columns = SideColumns(**{"ids": "item_id", **named})
    with pytest.raises(SchemaError, match=message):
        fit_side_features(path, columns, vocabulary([1]), vocabulary([]), COUNTS)


def test_missing_columns_of_bags_are_named(tmp_path):
    with pytest.raises(SchemaError, match="must have the column 'counts', but it has "):
        fit_table(tmp_path, {"item_id": [0], "words": [[1]]}, config=BAGS)


def test_columns_that_hold_no_bags_are_named(tmp_path):
    columns = {"item_id": [0], "words": ["red"], "counts": [[1]]}
    with pytest.raises(SchemaError, match=r"'words' of .* must hold lists of integers, but holds"):
        fit_table(tmp_path, columns, config=BAGS)


def test_a_missing_or_damaged_file_is_named(tmp_path):
    path = tmp_path / "items.parquet"
    with pytest.raises(MissingFileError, match=r"items\.parquet must be a Parquet or CSV file"):
        fit(path)
    pq.write_table(pa.table({"item_id": range(99), "text": ["a red fox"] * 99}), path)
    whole = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 40 + whole[44:])
    with pytest.raises(InputError, match=r"items\.parquet must be a complete Parquet file, but re"):
        fit(path)


@pytest.mark.parametrize(
    ("axis", "setting"), [("item", r"text\.columns"), ("user", r"text\.user_columns")]
)
def test_a_table_with_a_list_alone_is_told_where_to_name_it(tmp_path, axis, setting):
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": [0, 1], "tags": [["a"], ["b"]]}), path)
    columns = SideColumns("item_id", axis=axis)
    message = f"name lists such as 'tags' in {setting} "
    with pytest.raises(SchemaError, match=message):
        fit_side_features(path, columns, vocabulary([0]), vocabulary([1]), COUNTS)


@pytest.mark.parametrize("kind", ["text", "categories", "numbers", "vectors"])
@pytest.mark.parametrize(
    "column",
    [
        pa.array([{"a": 1}]), pa.array([[["a"]]]), pa.array([[{"a": 1}]]), pa.array([b"a"]),
        pa.array([1], pa.date32()), pa.array([1], pa.timestamp("s")),
    ],
)  # fmt: skip
def test_nested_and_other_columns_are_named_with_their_table(tmp_path, kind, column):
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": [0], "x": column}), path)
    with pytest.raises(SchemaError, match=r"column 'x' of .*items\.parquet must hold .* but holds"):
        fit(path, **{kind: ["x"]})


def test_a_column_of_nothing_else_is_no_matter(tmp_path):
    columns = {"item_id": [0, 1], "text": ["red", "fox"], "x": pa.array([{"a": 1}, None])}
    assert fit_table(tmp_path, columns).words.words == ("fox", "red")
