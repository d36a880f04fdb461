import pandas as pd
import polars as pl
import pytest

import recsparse
from recsparse.errors import InputError, OutputError, SchemaError, UnknownIdError
from recsparse.scoring.model_folder import load_model
from recsparse.stages.similar import similar


@pytest.fixture
def model(trained_folder, workplace):
    return trained_folder / "sparse_grid"


def test_all_items_get_the_lists_of_the_model(model):
    expected = load_model(model).similar_items(k=3)
    assert similar(model, "similar.parquet", k=3) == 20
    pd.testing.assert_frame_equal(pd.read_parquet("similar.parquet"), expected)
    pd.testing.assert_frame_equal(recsparse.similar(model, k=3), expected)


def test_items_are_ids_or_a_file_or_a_frame_of_any_library(model):
    wanted = pd.DataFrame({"item_id": [4, 2, 4], "note": ["a", "b", "c"]})
    wanted.to_parquet("items.parquet")
    expected = load_model(model).similar_items([4, 2], 3)
    for items in ([4, 2], wanted["item_id"], wanted, "items.parquet"):
        pd.testing.assert_frame_equal(similar(model, items=items, k=3), expected)
        assert similar(model, "similar.parquet", items, 3) == 2
        pd.testing.assert_frame_equal(pd.read_parquet("similar.parquet"), expected)
    found = similar(model, items=pl.from_pandas(wanted), k=3)
    assert isinstance(found, pl.DataFrame)
    assert found["similar_item_id"].to_list() == expected["similar_item_id"].tolist()


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        ([1, 999], UnknownIdError, "the first is row 1: 999; leave these out of --items"),
        ([], InputError, "similar needs at least one item"),
        (pd.DataFrame({"item": [1]}), SchemaError, "must have the column 'item_id'"),
    ],
)
def test_items_that_cannot_be_looked_up_leave_nothing(model, workplace, items, error, message):
    with pytest.raises(error, match=message):
        similar(model, "similar", items)
    assert not [*workplace.glob("similar*")]


def test_a_model_without_similar_items_leaves_nothing(trained_folder, workplace):
    with pytest.raises(InputError, match="popularity has no vectors"):
        similar(trained_folder / "popularity", "similar")
    assert not [*workplace.glob("similar*")]


def test_the_file_of_the_items_is_no_output(model):
    pd.DataFrame({"item_id": [4]}).to_parquet("items.parquet")
    with pytest.raises(OutputError, match=r"items.parquet"):
        similar(model, "items.parquet", "items.parquet")
