import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError, SchemaError
from recsparse.stages.prepare import prepare
from tests.prepared import contents, log_table

OLD = [(user, item) for user in range(8) for item in range(8)]
NEW = [(user, item) for user in range(4, 12) for item in range(6, 14)]
WORDS = ["fox", "hen", "owl", "cat", "elk"]
FEATURES = [
    "features.categories=['genre', 'tags']", "features.numbers=['price']",
    "features.user_numbers=['age']", "text.weighting=counts",
]  # fmt: skip


def item_table(ids, shift=0):
    """Return text, a category, a list of categories, and a number of some items."""
    return pd.DataFrame(
        {
            "item_id": list(ids),
            "title": [f"{WORDS[(each + shift) % 5]} {WORDS[each % 3]}" for each in ids],
            "genre": pd.Categorical([f"g{(each + shift) % 3}" for each in ids]),
            "tags": [[f"t{each % 2}", f"t{(each + shift) % 4}"] for each in ids],
            "price": [float(each * 3 + shift) for each in ids],
        }
    )


def user_table(ids):
    return pd.DataFrame({"user_id": list(ids), "age": list(ids), "about": "somebody"})


@pytest.fixture
def shop(tmp_path):
    """Logs of two days, and tables of which the old one knows items that come on the second."""
    pq.write_table(log_table(OLD), tmp_path / "old.parquet")
    pq.write_table(log_table(NEW, range(1000, 1000 + len(NEW))), tmp_path / "new.parquet")
    item_table(range(10)).to_parquet(tmp_path / "items.parquet")
    user_table(range(12)).to_parquet(tmp_path / "users.parquet")
    made(tmp_path, "old", "dataset", items="items.parquet", users="users.parquet")
    return tmp_path


def made(folder, logs, out, settings=FEATURES, **sources):
    given = {name: folder / each for name, each in sources.items()}
    paths = [folder / f"{each}.parquet" for each in logs.split()]
    config = None if "append_to" in sources else load_config(None, settings)
    return prepare(Sources(logs=paths, **given), folder / out, config=config)


def assert_appended_as_anew(folder, merged, **tables):
    """Append, and compare with preparing all logs with the merged table."""
    made(folder, "new", "appended", append_to="dataset", **tables)
    merged.to_parquet(folder / "merged.parquet")
    users = tables.get("users", "users.parquet")
    made(
        folder, "old new", "anew", items="merged.parquet", users=users, ids_from="dataset"
    )  # fmt: skip
    appended, anew = contents(folder / "appended"), contents(folder / "anew")
    assert [name for name in anew if anew[name] != appended.get(name)] == []
    assert set(anew) == set(appended)


def test_the_tables_of_a_dataset_stay_when_none_are_named(shop):
    assert_appended_as_anew(shop, item_table(range(10)))
    data = load_dataset(shop / "appended")
    index = data.items.index_of(pa.array([9]))[0]
    assert data.item_side.bags[index].nnz  # in the table before, in the log only now
    assert data.user_side.numbers is not None


def test_rows_of_a_new_table_replace_those_of_the_same_id_and_others_stay(shop):
    later = item_table(range(7, 16), shift=1)
    later.to_parquet(shop / "later.parquet")
    earlier = item_table(range(7))
    assert_appended_as_anew(shop, pd.concat([earlier, later]), items="later.parquet")


def test_columns_of_one_table_alone_are_null_in_rows_of_the_other(shop):
    later = item_table(range(7, 16), shift=2).drop(columns=["price", "tags"])
    later = later.assign(plot=[f"plot{each % 4}" for each in range(9)])
    later.to_parquet(shop / "later.parquet")
    merged = pd.concat([item_table(range(7)), later])
    assert_appended_as_anew(shop, merged, items="later.parquet")
    words = load_dataset(shop / "appended").words.words
    assert {"plot1", "fox"} <= set(words)


def test_a_table_is_laid_over_again_and_again(shop):
    for place, day in enumerate(("first", "second")):
        item_table(range(3 * place, 3 * place + 5), shift=place + 1).to_parquet(
            shop / f"{day}.parquet"
        )
    made(shop, "new", "one", append_to="dataset", items="first.parquet")
    pq.write_table(log_table(NEW[:9], range(5000, 5009)), shop / "third.parquet")
    made(shop, "third", "two", append_to="one", items="second.parquet")
    frames = [item_table(range(10)), item_table(range(5), 1), item_table(range(3, 8), 2)]
    merged = pd.concat(frames).drop_duplicates("item_id", keep="last")
    merged.to_parquet(shop / "merged.parquet")
    made(
        shop, "old new third", "anew", items="merged.parquet", users="users.parquet", ids_from="one"
    )
    assert contents(shop / "two") == contents(shop / "anew")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("genre", [1] * 9),
        ("tags", [[1.0]] * 9),
        ("title", [["a"]] * 9),
    ],
)
def test_columns_of_types_that_do_not_fit_are_named(shop, column, values):
    later = item_table(range(7, 16)).assign(**{column: values})
    later.to_parquet(shop / "later.parquet")
    before = contents(shop / "dataset")
    with pytest.raises(SchemaError, match=f"column '{column}' (of .* )?must (have one type|hold)"):
        made(shop, "new", "dataset", append_to="dataset", items="later.parquet")
    assert contents(shop / "dataset") == before


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("genre", pd.array([None] * 9, "string")),
        ("genre", [None] * 9),
        ("price", np.arange(9)),
        ("price", [None] * 9),
        ("title", pd.Categorical(["fox"] * 9)),
        ("item_id", np.arange(7, 16, dtype=np.uint8)),
    ],
)
def test_columns_of_types_that_fit_are_taken(shop, column, values):
    later = item_table(range(7, 16), 1).assign(**{column: values})
    later.to_parquet(shop / "later.parquet")
    data = made(shop, "new", "appended", append_to="dataset", items="later.parquet")
    assert data.counts["item_table_not_in_table"] == 0
    assert data.item_side.numbers is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.rename(columns={"item_id": "id"}), "must have the column 'item_id'"),
        (lambda frame: frame[["item_id"]], r"must have a text column, .*only item_id"),
        (lambda frame: pd.concat([frame, frame]), "must occur once, but 9 repeat"),
        (lambda frame: frame.assign(item_id=None), "must hold integers or strings"),
        (
            lambda frame: frame.assign(item_id=pd.array([None, *range(1, 9)], "Int64")),
            "must have an id, but 1 of 9",
        ),
        (lambda frame: frame.assign(item_id="a"), "ids must be of the type int64"),
    ],
)
def test_a_new_table_that_is_wrong_leaves_the_dataset(shop, change, message):
    change(item_table(range(7, 16))).to_parquet(shop / "later.parquet")
    before = contents(shop / "dataset")
    with pytest.raises(InputError, match=message):
        made(shop, "new", "dataset", append_to="dataset", items="later.parquet")
    assert contents(shop / "dataset") == before


def test_ready_made_bags_stay(tmp_path):
    pq.write_table(log_table(OLD), tmp_path / "old.parquet")
    pq.write_table(log_table(NEW, range(1000, 1000 + len(NEW))), tmp_path / "new.parquet")
    bags = pd.DataFrame(
        {
            "item_id": range(14),
            "words": [[each % 5, 7] for each in range(14)],
            "counts": [[1, each + 1] for each in range(14)],
        }
    )
    bags.to_parquet(tmp_path / "items.parquet")
    settings = ["text.bag_columns=['words', 'counts']"]
    made(tmp_path, "old", "dataset", settings, items="items.parquet")
    made(tmp_path, "new", "appended", append_to="dataset")
    made(tmp_path, "old new", "anew", settings, items="items.parquet", ids_from="dataset")
    assert contents(tmp_path / "appended") == contents(tmp_path / "anew")


def test_a_dataset_without_tables_gets_one(tmp_path):
    pq.write_table(log_table(OLD), tmp_path / "old.parquet")
    pq.write_table(log_table(NEW, range(1000, 1000 + len(NEW))), tmp_path / "new.parquet")
    item_table(range(14)).to_parquet(tmp_path / "items.parquet")
    made(tmp_path, "old", "dataset", [])
    data = made(tmp_path, "new", "appended", append_to="dataset", items="items.parquet")
    assert data.words is not None


def test_a_table_that_an_older_build_did_not_keep_has_to_be_named(shop, caplog):
    (shop / "dataset" / "log" / "item_table.parquet").unlink()
    before = contents(shop / "dataset")
    with pytest.raises(InputError, match="did not keep their table; name all of it by --items"):
        made(shop, "new", "dataset", append_to="dataset")
    assert contents(shop / "dataset") == before
    with caplog.at_level(logging.WARNING):
        data = made(shop, "new", "dataset", append_to="dataset", items="items.parquet")
    assert "was not kept by the older build" in caplog.text
    assert data.words is not None


def test_a_renamed_column_of_ids_reads_the_old_table_too(shop):
    settings = load_config(None, ["log.item_column=product"])
    log = log_table(NEW, range(1000, 1000 + len(NEW)))
    log.rename_columns(["user_id", "product", "timestamp"]).cast(
        pa.schema([("user_id", pa.int64()), ("product", pa.int64()), ("timestamp", pa.int64())])
    )
    pq.write_table(log.rename_columns(["user_id", "product", "timestamp"]), shop / "new.parquet")
    sources = Sources(logs=shop / "new.parquet", append_to=shop / "dataset")
    data = prepare(sources, shop / "one", config=settings)
    assert data.words is not None
    later = item_table(range(7, 16), 1).rename(columns={"item_id": "product"})
    later.to_parquet(shop / "later.parquet")
    sources = Sources(
        logs=shop / "new.parquet", append_to=shop / "dataset", items=shop / "later.parquet"
    )
    assert prepare(sources, shop / "two", config=settings).counts["item_table_not_in_table"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [[1.0, 2.0, 3.0]] * 9}, "one length, that of the first, 2, but that of 7 .* 3"),
        ({"shape": [[1.0, float("nan")]] * 9}, "finite numbers .* that of 7 in .* has nan"),
        ({"shape": ["x"] * 9}, "'shape' of .* must hold vectors"),
    ],
)
def test_vectors_that_do_not_fit_those_of_the_dataset_are_refused(shop, change, message):
    vectors = [f"features.vectors={['shape']}"]
    older = item_table(range(10)).assign(shape=[[1.0, 2.0]] * 10)
    older.to_parquet(shop / "items.parquet")
    made(shop, "old", "vectors", vectors, items="items.parquet")
    before = contents(shop / "vectors")
    item_table(range(7, 16)).assign(**change).to_parquet(shop / "later.parquet")
    with pytest.raises(InputError, match=message):
        made(shop, "new", "vectors", append_to="vectors", items="later.parquet")
    assert contents(shop / "vectors") == before


def test_a_new_table_may_lack_vectors_and_have_columns_that_are_not_read(shop):
    older = item_table(range(10)).assign(shape=[[1.0, 2.0]] * 10)
    older.to_parquet(shop / "items.parquet")
    made(shop, "old", "vectors", ["features.vectors=['shape']"], items="items.parquet")
    later = item_table(range(7, 16)).assign(colour=7.5, about=[{"a": 1}] * 9)
    later.to_parquet(shop / "later.parquet")
    data = made(shop, "new", "appended", append_to="vectors", items="later.parquet")
    ids = pa.concat_arrays([data.items.ids, data.unseen_items.ids]).to_pylist()
    has_vector = data.item_side.vectors.values.any(axis=1)
    assert {each for each, has in zip(ids, has_vector, strict=True) if has} == {*range(7)}
    assert [each.name for each in data.item_features] == ["words", "shape"]
    fitted = data.fitted_item_features
    assert [each.name for each in fitted.read(older)[1]] == ["words", "shape"]
