"""Users without rows, known by features alone: trained, saved, ranked for and evaluated."""

import numpy as np
import pandas as pd
import pytest
import torch

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.errors import ModelFolderError
from recsparse.models.content.new_items import base_of
from recsparse.models.protocol.user_reader import scores_of
from recsparse.scoring.model_folder import load_model
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.score import RecommendOptions, recommend, score
from recsparse.stages.train import train
from tests.scoring.naive import naive_popularity

ITEMS, DAY = 12, 24 * 3600
SPLIT = ["split.kind=held_out_users", "split.test=0.3", "split.validation=0.2"]
FEATURES = ["features.user_categories=['group']", "features.user_numbers=['age']"]
RIDGE = ["model.kind=user_ridge", "model.ridge=1"]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, empty_store):
    """Users of two groups, each of which takes the items of one half; some only have features.

    Of users 50 to 54 the table knows all, of 55 nothing but the id.
    """
    folder, rng = tmp_path_factory.mktemp("jobs"), np.random.default_rng(0)
    rows = [
        (user, int(item) * 2 + user % 2, int(rng.integers(0, 300)) * DAY)
        for user in range(40)
        for item in rng.permutation(ITEMS // 2)[:4]
    ]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    log.to_parquet(folder / "log.parquet", index=False)
    users = [*range(40), *range(50, 56)]
    groups = [None if user == 55 else f"g{user % 2}" for user in users]
    ages = [None if user in (3, 55) else float(user % 7) for user in users]
    table = pd.DataFrame({"user_id": users, "group": groups, "age": ages})
    table.to_parquet(folder / "users.parquet", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sources = Sources(logs="log.parquet", users="users.parquet")
        prepare(sources, "dataset", config=load_config(None, [*SPLIT, *FEATURES]))
        train("dataset", "ridge", load_config(None, RIDGE))
        train("dataset", "knn", load_config(None, ["model.kind=item_knn"]))
    return folder


def test_users_of_the_table_are_known_by_features_alone(jobs):
    trained = load_model(jobs / "ridge")
    known = set(trained.users.ids.to_pylist())
    assert known == {*range(40), *range(50, 55)}
    has_rows = np.diff(trained.history.indptr) > 0
    assert has_rows.any()
    assert not has_rows[trained.users.index_of(range(50, 55))].any()
    assert [group.name for group in trained.user_features.groups] == ["group", "age"]
    lists = trained.recommend(range(50, 55), k=3)
    assert len(lists) == 15
    assert (lists["item_id"] % 2 == lists["user_id"] % 2).all()
    assert set(trained.recommend(k=1)["user_id"]) == known


def test_a_model_that_reads_no_users_knows_those_with_rows_and_has_no_file_of_features(jobs):
    trained = load_model(jobs / "knn")
    assert trained.user_features is None
    assert not (jobs / "knn" / "user_features.safetensors").exists()
    assert (np.diff(trained.history.indptr) > 0).all()


def test_a_damaged_file_of_features_is_refused(jobs, tmp_path):
    folder = jobs / "ridge" / "user_features.safetensors"
    whole = folder.read_bytes()
    try:
        folder.write_bytes(whole[:-1] + b"x")
        with pytest.raises(ModelFolderError, match=r"user_features\.safetensors must be as it was"):
            load_model(jobs / "ridge")
    finally:
        folder.write_bytes(whole)


def test_scores_and_lists_agree_and_the_jobs_say_by_what_users_are_ranked_for(
    jobs, tmp_path, caplog
):
    trained = load_model(jobs / "ridge")
    by_rows = int((np.diff(trained.history.indptr) > 0).sum())
    users = [*trained.users.ids.to_pylist(), 55, 99]
    options = RecommendOptions(k=ITEMS, on_unknown="popularity")
    said = (
        f"{by_rows} by their rows, {len(users) - 2 - by_rows} by their features, 2 by recent "
        "popularity (rows of the last 90 days count, older ones a hundredth)"
    )
    assert recommend(jobs / "ridge", tmp_path / "lists.parquet", options, users=users) == len(users)
    assert f"users: {said}" in caplog.messages
    lists = pd.read_parquet(tmp_path / "lists.parquet")
    pairs = lists[["user_id", "item_id"]]
    pairs.to_parquet(tmp_path / "pairs.parquet", index=False)
    score(jobs / "ridge", tmp_path / "pairs.parquet", tmp_path / "s.parquet", None, "popularity")
    assert any("candidates of users" in each and "by recent" in each for each in caplog.messages)
    scores = pd.read_parquet(tmp_path / "s.parquet")["score"]
    np.testing.assert_allclose(lists["score"], scores, rtol=1e-4, atol=1e-6)
    strangers = lists[lists["user_id"] == 99].set_index("item_id")["score"]
    expected = pd.Series(naive_popularity(trained))
    np.testing.assert_allclose(strangers, expected[strangers.index], rtol=1e-5)


def test_nothing_is_said_where_all_users_have_rows(jobs, tmp_path, caplog):
    recommend(jobs / "knn", tmp_path / "lists.parquet")
    assert "by their" not in caplog.text


def test_rows_of_a_user_who_was_known_by_features_join_them(jobs):
    trained = load_model(jobs / "ridge")
    rows = pd.DataFrame({"user_id": [50, 70], "item_id": [0, 0], "timestamp": [1, 1]})
    known = trained.with_history(rows)
    assert known.user_features.num_ids == len(known.users)
    index = known.users.index_of([50, 51, 70])
    assert known.user_features.rows(index).are_known().tolist() == [True, True, False]
    before, after = (each.recommend([50], ITEMS) for each in (trained, known))
    assert 0 in set(before["item_id"])
    assert 0 not in set(after["item_id"])
    left = before[before["item_id"] != 0].set_index("item_id")["score"]
    np.testing.assert_allclose(after.set_index("item_id")["score"], left[after["item_id"]])


def test_users_without_rows_are_evaluated_by_features_or_by_recent_popularity(
    jobs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    log = pd.read_parquet(jobs / "log.parquet")
    is_new = log["user_id"] >= 30
    log[~is_new].to_parquet("train.parquet", index=False)
    # Known to nobody before the test, and all at one time.
    log[is_new].assign(timestamp=400 * DAY).to_parquet("test.parquet", index=False)
    sources = Sources(
        logs="train.parquet", test=["test.parquet"], users=str(jobs / "users.parquet")
    )
    settings = ["split.kind=given", "split.validation=0.2", *FEATURES]
    prepare(sources, "dataset", config=load_config(None, settings))
    models = {"ridge": RIDGE, "knn": ["model.kind=item_knn"], "ease": ["model.kind=ease"]}
    for name, chosen in models.items():
        train("dataset", name, load_config(None, chosen))
    config = load_config(None, ["evaluation.metrics=['all@4']"])
    found = evaluate([*models], "dataset", config=config)
    means = {name: result.mean()["precision@4"] for name, result in found.results.items()}
    assert found.part.users_without_history == found.part.evaluated_users == 10
    popular = pd.Series(naive_popularity(load_model("knn"))).sort_values(ascending=False).index[:4]
    taken = log[is_new].groupby("user_id")["item_id"].agg(set)
    expected = np.mean([len(items & {*popular}) / 4 for items in taken])
    assert means["knn"] == pytest.approx(expected)
    assert means["ease"] == pytest.approx(expected)
    assert means["ridge"] > means["knn"] + 0.1


def test_a_blend_ranks_for_users_without_rows_by_features(jobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = "model.parts=[{kind='ease', regularisation=1}, {kind='popularity'}]"
    result = train(jobs / "dataset", "blend", load_config(None, [parts]))
    assert set(result.features["user_ridge"]) == {"group of users", "age of users"}
    trained = load_model("blend")
    assert set(range(50, 55)) < set(trained.users.ids.to_pylist())
    lists = trained.recommend(range(50, 55), k=3)
    assert (lists["item_id"] % 2 == lists["user_id"] % 2).all()
    pd.testing.assert_frame_equal(lists, result.model.recommend(range(50, 55), k=3))


def test_users_without_rows_and_new_items_are_in_one_list(jobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ids = [*range(ITEMS), 90, 91]
    titles = ["even", "odd"] * (len(ids) // 2)
    pd.DataFrame({"item_id": ids, "title": titles}).to_parquet("items.parquet", index=False)
    tables = {"items": "items.parquet", "users": str(jobs / "users.parquet")}
    sources = Sources(logs=str(jobs / "log.parquet"), **tables)
    settings = [*SPLIT, *FEATURES, "text.columns=['title']", "text.user_columns=['group']"]
    prepare(sources, "dataset", config=load_config(None, settings))
    parts = "model.parts=[{kind='ease', regularisation=1}, {kind='content_knn'}]"
    train("dataset", "model", load_config(None, [parts, "model.prior_rows=4"]))
    trained = load_model("model")
    assert trained.items.ids.to_pylist()[ITEMS:] == [90, 91]
    index = trained.users.index_of(trained.users.ids)
    users = trained.user_features.rows(index)
    scores = scores_of(trained.model, trained.history, trained.times, users)
    base = base_of(trained.model)
    known = scores_of(base, trained.history[:, :ITEMS], trained.times[:, :ITEMS], users)
    torch.testing.assert_close(scores[:, :ITEMS], known)
    without = np.diff(trained.history.indptr) == 0
    assert without.sum() > 5
    # Nothing tells whether a user without rows likes a new item: it stands behind known ones.
    lowest = known[without].amin(dim=1, keepdim=True)
    torch.testing.assert_close(scores[without][:, ITEMS:], lowest.expand(-1, 2))
    with_rows = scores[~without].numpy()
    own = np.array(trained.users.ids.to_pylist())[~without] % 2
    row = np.arange(len(own))
    assert (with_rows[row, ITEMS + own] > with_rows[row, ITEMS + 1 - own]).all()
