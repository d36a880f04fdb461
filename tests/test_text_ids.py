"""Ids of text files and partition keys, from the log to the scores."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.errors import InputError
from recsparse.scoring.batch import read_ids, score_candidates
from recsparse.stages.evaluate_file import evaluate_file
from recsparse.stages.prepare import prepare
from tests.scoring.naive import random_model

PAIRS = [(user, item) for user in range(1, 13) for item in range(1, 13) if (user + item) % 3]


def frame(form, pairs=PAIRS):
    ids = [(form.format(user), form.format(item)) for user, item in pairs]
    return pd.DataFrame(ids, columns=["user_id", "item_id"])


def csv(path, table):
    table.to_csv(path, index=False)
    return path


def parted(folder, table, *keys):
    pq.write_to_dataset(pa.Table.from_pandas(table), str(folder), partition_cols=list(keys))
    return folder


@pytest.mark.parametrize("form", ["{:03}", "{}", "A{}"])
def test_tables_of_items_and_users_join_the_log(tmp_path, form):
    titles = pd.DataFrame({"item_id": [form.format(item) for item in range(1, 13)]})
    titles = titles.assign(title=[f"title {item}" for item in range(12)], zip=["01", "1"] * 6)
    users = frame(form)[["user_id"]].drop_duplicates().assign(age=7, motto="a fox")
    log = csv(tmp_path / "log.csv", frame(form))
    config = load_config(overrides=["features.categories=['zip']", "features.user_numbers=['age']"])
    items = {"text": csv(tmp_path / "items.csv", titles)}
    if form != "{}":  # a key is text, and so are the ids of the log
        items["keys"] = parted(tmp_path / "items", titles, "item_id")
    for table in items.values():
        sources = Sources(logs=log, items=table, users=csv(tmp_path / "users.csv", users))
        data = prepare(sources, tmp_path / "data", config=config)
        assert data.items.ids.type == (pa.int64() if form == "{}" else pa.string())
        assert data.counts["item_table_not_in_table"] == data.counts["user_table_not_in_table"] == 0
        assert data.item_side.categories.names == ("zip=01", "zip=1")


@pytest.mark.parametrize("form", ["{:03}", "{}"])
@pytest.mark.parametrize("parts", [["item_id"], ["user_id"], ["user_id", "item_id"]])
def test_a_partitioned_log_has_the_ids_of_the_same_log_as_text(tmp_path, form, parts):
    log = frame(form).assign(weight=1.0)
    one = tmp_path / "log.parquet"
    log.to_parquet(one)
    expected = prepare(one, tmp_path / "one")
    found = prepare(parted(tmp_path / "log", log, *parts), tmp_path / "parts")
    assert found.items.ids.equals(expected.items.ids)
    assert found.users.ids.equals(expected.users.ids)
    assert found.split.train.equals(expected.split.train)


def test_a_leading_zero_in_one_source_makes_the_ids_of_all_text(tmp_path):
    train, test = frame("{}"), frame("{}", [(1, 3), (2, 3)])
    test.loc[0, "item_id"] = "03"
    sources = Sources(
        logs=csv(tmp_path / "log.csv", train),
        validation=csv(tmp_path / "validation.csv", frame("{}", [(1, 3)])),
        test=csv(tmp_path / "test.csv", test),
    )
    data = prepare(sources, tmp_path / "data")
    assert data.items.ids.type == pa.string()
    assert data.users.ids.type == pa.int64()
    assert data.unseen_items.ids.to_pylist() == ["03"]


@pytest.mark.parametrize("form", ["{:03}", "{}"])
def test_a_new_day_of_text_has_the_ids_of_the_dataset(tmp_path, form):
    prepare(csv(tmp_path / "log.csv", frame(form)), tmp_path / "old")
    # Digits alone, which by themselves would be integers.
    day = csv(tmp_path / "day.csv", frame("{}", [(user, 77) for user in range(100, 120)]))
    data = prepare(Sources(logs=day, append_to=tmp_path / "old"), tmp_path / "new")
    assert data.items.ids.type == (pa.string() if form == "{:03}" else pa.int64())
    assert len(data.items) + len(data.unseen_items) == 13


def test_a_new_day_of_text_ids_does_not_fit_a_dataset_of_integers(tmp_path):
    prepare(csv(tmp_path / "log.csv", frame("{}")), tmp_path / "old")
    day = Sources(logs=csv(tmp_path / "day.csv", frame("{:03}")), append_to=tmp_path / "old")
    with pytest.raises(InputError, match="must have the same types everywhere, but are int64"):
        prepare(day, tmp_path / "new")
    config = load_config(overrides=["log.id_type=integer"])
    data = prepare(day, tmp_path / "new", config=config)
    assert len(data.items) == 12


def test_a_table_of_integers_joins_text_where_the_setting_says_so(tmp_path):
    log = csv(tmp_path / "log.csv", frame("{}"))
    items = tmp_path / "items.parquet"
    pd.DataFrame({"item_id": range(1, 13), "title": ["a fox"] * 12}).to_parquet(items)
    config = load_config(overrides=["log.id_type=string"])
    data = prepare(Sources(logs=log, items=items), tmp_path / "data", config=config)
    assert data.items.ids.type == pa.string()
    assert data.counts["item_table_not_in_table"] == 0


@pytest.mark.parametrize("names", ["{:03}", "{}", int])
@pytest.mark.parametrize("layout", ["csv", "keys"])
def test_candidates_and_users_are_read_in_the_type_of_the_model(tmp_path, names, layout):
    name = names if names is int else names.format
    model = random_model(4, 4, seed=0, names=name)
    pairs = pd.DataFrame({"user_id": [10, 11, 12, 13], "item_id": [500, 501, 502, 503]}).map(name)
    path = tmp_path / layout
    path = parted(path, pairs, "item_id") if layout == "keys" else csv(tmp_path / "c.csv", pairs)
    score_candidates(model, path, tmp_path / "scores.parquet")
    scores = pq.read_table(tmp_path / "scores.parquet")
    assert scores["score"].to_pylist() == model.score(pairs).tolist()
    assert read_ids(path, "user_id", model.users.ids.type).equals(model.users.ids)


@pytest.mark.parametrize("form", ["{:03}", "{}", "A{}"])
def test_scored_files_of_text_are_read_in_the_type_of_the_dataset(tmp_path, form):
    log = tmp_path / "log.parquet"
    frame(form).to_parquet(log)  # strings, whatever they look like
    data = prepare(log, tmp_path / "data")
    test = data.with_ids(data.split.test).to_pandas()[["user_id", "item_id"]].assign(score=1.0)
    scored = csv(tmp_path / "scored.csv", test)
    assert evaluate_file(scored, tmp_path / "data").mean()["recall@20"] == 1.0
