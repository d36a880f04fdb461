"""Items of the table without a row in the log: trained, saved, recommended, scored, evaluated."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import ModelFolderError
from recsparse.models.content.new_items import WithNewItems, base_of
from recsparse.scoring.model_folder import load_model, read_model_description, save_model
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train

QUICK = ["model.kind=content_knn"]
NEW, WITHOUT = [9001, 9002], 9003
BLEND = ["model.parts=[{kind='content_knn'}, {kind='popularity'}, {kind='ials', factors=4}]"]


@pytest.fixture(scope="module")
def with_table(small_log, tmp_path_factory):
    """A dataset of a table that has items of its own: two with words, one without."""
    folder = tmp_path_factory.mktemp("with-table")
    ids = pq.read_table(small_log / "log.parquet")["item_id"].unique().sort().to_pylist()
    ids += [*NEW, WITHOUT]
    titles = [f"word{place % 5} other" for place in range(len(ids) - 1)]
    table = pa.table({"item_id": ids, "title": [*titles, None]})
    pq.write_table(table, folder / "items.parquet")
    sources = Sources(small_log / "log.parquet", items=folder / "items.parquet")
    prepare(sources, folder / "dataset", config=load_config(None, ["text.columns=['title']"]))
    return folder / "dataset"


@pytest.fixture(scope="module")
def knn(with_table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("knn")
    train(with_table, folder / "knn", load_config(None, QUICK))
    train(with_table, folder / "known", load_config(None, [*QUICK, "new_items.rank=false"]))
    train(with_table, folder / "blend", load_config(None, BLEND))
    return folder


def new_ids(folder):
    trained = load_model(folder)
    return trained.items.ids[base_of(trained.model).num_items :].to_pylist()


@pytest.mark.parametrize("kind", ["knn", "blend"])
def test_a_model_ranks_the_items_of_the_table_that_have_features(with_table, knn, kind):
    trained, data = load_model(knn / kind), load_dataset(with_table)
    assert isinstance(trained.model, WithNewItems)
    assert {*NEW} <= {*new_ids(knn / kind)}
    assert WITHOUT not in trained.items.ids.to_pylist()
    known = base_of(trained.model).num_items
    assert trained.items.ids[:known].equals(data.items.ids)
    about = read_model_description(knn / kind)["training"]["new_items"]
    assert about["items"] == len(new_ids(knn / kind))
    assert about["features"] == ["words"]
    assert about["without_features"] == 1


def test_known_items_keep_their_scores_and_new_ones_are_recommended(knn):
    trained, known = load_model(knn / "knn"), load_model(knn / "known")
    assert new_ids(knn / "known") == []
    users, items = known.users.ids[:5].to_pylist(), known.items.ids.to_pylist()
    pairs = pa.table({"user_id": np.repeat(users, len(items)), "item_id": items * 5})
    np.testing.assert_array_equal(trained.score(pairs), known.score(pairs))
    lists = trained.recommend(users, k=len(trained.items))
    assert {*NEW} <= {*lists["item_id"]}
    assert np.isfinite(lists["score"]).all()


def test_new_items_that_a_user_has_seen_are_left_out(knn):
    trained = load_model(knn / "knn")
    user = trained.users.ids[0].as_py()
    history = pa.table({"user_id": [user] * 2, "item_id": [NEW[0], trained.items.ids[0].as_py()]})
    lists = trained.recommend([user], k=len(trained.items), history=history)
    assert NEW[1] in {*lists["item_id"]}
    assert NEW[0] not in {*lists["item_id"]}


def test_figures_over_known_items_are_those_without_new_ones(with_table, knn):
    config = load_config(None, ["evaluation.catalogue=known"])
    found = evaluate([knn / "knn", knn / "known"], with_table, config=config).results
    for name, values in found["known"].per_user.items():
        np.testing.assert_array_equal(found["knn"].per_user[name], values)


def test_a_saved_model_scores_as_it_did(knn, tmp_path):
    trained = load_model(knn / "blend")
    save_model(trained, tmp_path / "copy")
    again = load_model(tmp_path / "copy")
    np.testing.assert_array_equal(again.recommend(k=5)["score"], trained.recommend(k=5)["score"])
    assert again.model.digest() == trained.model.digest()


def test_a_damaged_file_of_new_items_is_refused(knn, tmp_path):
    save_model(load_model(knn / "knn"), tmp_path / "copy")
    path = tmp_path / "copy" / "new_items.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelFolderError, match=r"new_items.safetensors must be as it was"):
        load_model(tmp_path / "copy")
    path.unlink()
    with pytest.raises(ModelFolderError, match="is missing"):
        load_model(tmp_path / "copy")


def test_a_model_with_new_items_is_refitted_and_continued_from(with_table, tmp_path, caplog):
    config = load_config(None, [*BLEND, "refit=true"])
    first = train(with_table, tmp_path / "refit", config)
    assert isinstance(first.model.model, WithNewItems)
    with caplog.at_level(logging.WARNING):
        train(with_table, tmp_path / "next", load_config(None), continue_from=tmp_path / "refit")
    assert isinstance(load_model(tmp_path / "next").model, WithNewItems)


def test_a_model_that_reads_no_features_ranks_known_items_alone(with_table, tmp_path):
    train(with_table, tmp_path / "ease", load_config(None, ["model.kind=ease"]))
    trained = load_model(tmp_path / "ease")
    assert len(trained.items) == trained.model.num_items == len(load_dataset(with_table).items)


def test_a_refitted_model_leaves_out_new_items_that_a_user_had_in_validation(
    small_log, with_table, tmp_path
):
    sources = Sources(small_log / "log.parquet", items=with_table.parent / "items.parquet")
    split = ["split.kind=held_out_items", "split.known_targets=0.2", "text.columns=['title']"]
    prepare(sources, tmp_path / "data", config=load_config(None, split))
    train(tmp_path / "data", tmp_path / "knn", load_config(None, [*QUICK, "refit=true"]))
    data, trained = load_dataset(tmp_path / "data"), load_model(tmp_path / "knn")
    seen = data.with_ids(data.split.validation).to_pandas()
    known = trained.users.index_of(pa.array(seen["user_id"])) >= 0
    lists = trained.recommend(seen["user_id"][known].unique().tolist(), k=len(trained.items))
    both = lists.merge(seen, on=["user_id", "item_id"])
    assert {*seen["item_id"][known]} & {*new_ids(tmp_path / "knn")}
    assert len(both) == 0


def test_a_number_that_is_missing_describes_no_item(small_log, tmp_path):
    ids = pq.read_table(small_log / "log.parquet")["item_id"].unique().sort().to_pylist()
    prices = [None, *np.random.default_rng(0).random(len(ids) - 1).tolist()]
    table = pa.table({"item_id": [*ids, *NEW], "price": [*prices, 0.7, None]})
    pq.write_table(table, tmp_path / "items.parquet")
    sources = Sources(small_log / "log.parquet", items=tmp_path / "items.parquet")
    prepare(sources, tmp_path / "data", config=load_config(None, ["features.numbers=['price']"]))
    ridge = load_config(None, ["model.kind=text_ridge", "model.ials.factors=4"])
    train(tmp_path / "data", tmp_path / "ridge", ridge)
    ranked = load_model(tmp_path / "ridge").items.ids.to_pylist()
    assert NEW[0] in ranked
    assert NEW[1] not in ranked
