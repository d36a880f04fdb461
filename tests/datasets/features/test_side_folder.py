import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_matrix

from recsparse.config.data import TextConfig
from recsparse.datasets.features.side_folder import load_side, save_side
from recsparse.datasets.features.side_table import SideFeatures
from recsparse.errors import InputError, SchemaError
from tests.prepared import contents
from tests.side_tables import fit_table

TABLE = {
    "item_id": [0, 1, 7],
    "title": ["red fox", "日本 red", "hen fox"],
    "words": [[0, 4], [1], [4]],
    "counts": [[1, 2], [3], [4]],
    "kind": [["x", "y"], None, ["y"]],
    "price": [0.1, None, 2.5],
}
CONFIGS = {
    "tfidf": TextConfig(),
    "bm25": TextConfig(weighting="bm25", bm25_k1=2.0),
    "binary": TextConfig(weighting="binary", ngrams=(1, 2), max_words=3),
    "characters": TextConfig(analyzer="char_wb", ngrams=(2, 3)),
    "hashed": TextConfig(hashed_words=7),
    "ready": TextConfig(weighting="counts", bag_columns=("words", "counts")),
}


def features(folder, name="tfidf"):
    named = {"categories": ["kind"], "numbers": ["price"]}
    if name != "ready":
        named["text"] = ["title"]
    return fit_table(folder, TABLE, (0, 1, 2), (7,), CONFIGS[name], **named)


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, csr_matrix):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        assert (one != other).nnz == 0
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, strict=True)
    elif dataclasses.is_dataclass(one) and not isinstance(one, TextConfig):
        for field in dataclasses.fields(one):
            if field.name != "counts":
                assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, TextConfig):
        # What decides what is read and kept is not asked for again.
        unread = {"columns", "max_words", "min_documents"}
        assert one.model_dump(exclude=unread) == other.model_dump(exclude=unread)
    else:
        assert one == other


@pytest.mark.parametrize("name", CONFIGS)
def test_features_are_the_same_after_saving(tmp_path, name):
    saved = features(tmp_path, name)
    save_side(saved, tmp_path, "item")
    loaded = load_side(tmp_path, "item", 4)
    assert_same(loaded, saved)
    if name != "ready":
        texts = ["red fox", "日本 red", "", "hen fox"]
        again = loaded.words.transform(texts)
        assert (again != saved.bags).nnz == 0
        assert again.dtype == saved.bags.dtype


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_side(features(tmp_path), tmp_path / name, "item")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) == 6


def test_nothing_is_written_and_read_where_there_are_no_features(tmp_path):
    save_side(SideFeatures(), tmp_path, "user")
    assert list(tmp_path.iterdir()) == []
    assert_same(load_side(tmp_path, "user", 3), SideFeatures())


def test_the_features_of_two_axes_are_apart(tmp_path):
    save_side(features(tmp_path), tmp_path, "item")
    assert load_side(tmp_path, "user", 4).words is None


def test_ids_without_features_at_the_end_are_not_lost(tmp_path):
    save_side(fit_table(tmp_path, {"item_id": [0], "text": ["red"]}), tmp_path, "item")
    assert load_side(tmp_path, "item", 3).bags.shape == (3, 1)


FILES = [
    "item_words", "item_bags", "item_categories", "item_category_cells", "item_numbers",
    "item_number_scales",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named(tmp_path, name):
    save_side(features(tmp_path), tmp_path, "item")
    path = tmp_path / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    message = rf"{name}\.parquet must be (the|a whole) Parquet file"
    with pytest.raises((InputError, SchemaError), match=message):
        load_side(tmp_path, "item", 4)


@pytest.mark.parametrize("name", ["item_bags", "item_category_cells", "item_number_scales"])
def test_a_missing_file_is_named(tmp_path, name):
    save_side(features(tmp_path), tmp_path, "item")
    (tmp_path / f"{name}.parquet").unlink()
    with pytest.raises(InputError, match=rf"{name}\.parquet must be the Parquet file that was wr"):
        load_side(tmp_path, "item", 4)


@pytest.mark.parametrize("name", FILES[1:4] + FILES[5:])
def test_a_file_of_something_else_is_named(tmp_path, name):
    save_side(features(tmp_path), tmp_path, "item")
    pq.write_table(pa.table({"x": [1]}), tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=rf"{name}\.parquet must have the columns that were wri"):
        load_side(tmp_path, "item", 4)


def test_bags_of_another_dataset_are_refused(tmp_path):
    save_side(features(tmp_path), tmp_path, "item")
    with pytest.raises(InputError, match=r"item_bags.* indices from 0 to 1, but has 0 to 3; make"):
        load_side(tmp_path, "item", 2)


def test_numbers_of_another_dataset_are_refused(tmp_path):
    save_side(features(tmp_path), tmp_path, "item")
    with pytest.raises(InputError, match=r"item_numbers.* row for each of 5 ids, but has 4; make"):
        load_side(tmp_path, "item", 5)
