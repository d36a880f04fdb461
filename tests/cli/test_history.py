import hashlib
import json
import tomllib
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.config.toml_writer import to_toml
from recsparse.datasets.dataset_folder import load_dataset, read_dataset_description
from recsparse.scoring.model_folder import load_model
from recsparse.stages.load import load
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from tests.cli.conftest import sets
from tests.datasets.test_history_log import NAMED, OTHER_NAMES, shop_log

WEIGHED = ["log.event_weights={view=1, cart=3}", "log.duplicates=sum", "log.half_life_days=20"]
FROM_DATA = ["--dataset", "d", "--history-parts"]
KINDS = {
    "popularity": [],
    "item_knn": [],
    "ease": ["model.recency_decay=0.8"],
    "next_item_ridge": [],
    "timeline": ["model.channels=4", "model.blocks=1", "model.training.epochs=1"],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A log with its own names, weights of events and a half-life, and its dataset."""
    folder = tmp_path_factory.mktemp("shop")
    shop_log().rename(columns=OTHER_NAMES).to_parquet(folder / "log.parquet")
    settings = [*NAMED, *WEIGHED, "split.kind=leave_last_out"]
    prepare(folder / "log.parquet", folder / "dataset", config=load_config(None, settings))
    return folder


@pytest.fixture
def run(recsparse):
    """Run a command that must succeed."""

    def run(*words):
        outcome = recsparse(*words)
        assert outcome.status == 0, outcome.err

    return run


def trained(shop, kind, out="model"):
    settings = [f"model.kind={kind}", *KINDS.get(kind, [])]
    return train(shop / "dataset", out, load_config(None, settings))


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_as_history_counts_as_the_dataset_made_of_it_does(run, shop, kind):
    trained(shop, kind)
    run("recommend", "model", "--out", "of-log.parquet", "--history", shop / "log.parquet")
    run("recommend", "model", "--out", "of-data.parquet", "--dataset", shop / "dataset")
    key = ["user_id", "rank"]
    of_log, of_data = (
        pd.read_parquet(f"{name}.parquet").sort_values(key, ignore_index=True)
        for name in ("of-log", "of-data")
    )
    pd.testing.assert_frame_equal(of_log.drop(columns="score"), of_data.drop(columns="score"))
    np.testing.assert_allclose(of_log["score"], of_data["score"], rtol=1e-4, atol=1e-6)
    # What is known without a history is less, so that the lists differ.
    run("recommend", "model", "--out", "of-model.parquet")
    assert not pd.read_parquet("of-model.parquet")["item_id"].equals(of_data["item_id"])


def test_candidates_are_scored_from_a_log_as_from_the_dataset_made_of_it(run, shop):
    trained(shop, "item_knn")
    pairs = pd.DataFrame({"user_id": [3, 4, 5], "item_id": [101, 102, 103]})
    pairs.to_parquet("pairs.parquet")
    for name, words in (
        ("log", ["--history", shop / "log.parquet"]), ("data", ["--dataset", shop / "dataset"]),
    ):  # fmt: skip
        run("score", "model", "--candidates", "pairs.parquet", "--out", f"{name}.parquet", *words)
    scores = [pd.read_parquet(f"{name}.parquet")["score"] for name in ("log", "data")]
    np.testing.assert_allclose(*scores, rtol=1e-5)
    # A new user, and a setting on the line.
    shop_log(60).assign(user_id=900).rename(columns={"user_id": "who"}).to_parquet("new.parquet")
    pairs.assign(user_id=900).to_parquet("pairs.parquet")
    plain = ["log.item_column=item_id", "log.user_column=who", "log.timestamp_column=timestamp",
             "log.event_column=event", "log.weight_column=weight"]  # fmt: skip
    words = ["--candidates", "pairs.parquet", "--out", "new-scores.parquet"]
    run("score", "model", *words, "--history", "new.parquet", *sets(plain))
    assert pd.read_parquet("new-scores.parquet")["score"].notna().all()


@pytest.mark.parametrize("kind", ["next_item_ridge", "timeline"])
def test_a_time_column_of_another_name_does_not_lose_the_order(run, shop, kind, caplog):
    trained(shop, kind)
    frame = pd.read_parquet(shop / "log.parquet").sort_values("at").drop_duplicates(
        ["customer", "product"], keep="last"
    )  # fmt: skip
    frame.to_parquet("timed.parquet")
    frame.rename(columns={"at": "seconds"}).to_parquet("ordered.parquet")
    plain = ["log.half_life_days=1e12", "log.duplicates=last"]
    lists = []
    for name in ("timed", "ordered"):
        words = ["--history", f"{name}.parquet", "--out", f"{name}-lists.parquet", *sets(plain)]
        run("recommend", "model", *words)
        assert ("no row of the history" in caplog.text) == (name == "ordered")
        lists.append(pd.read_parquet(f"{name}-lists.parquet").set_index("user_id"))
    if kind == "next_item_ridge":  # which goes by the order alone
        assert (
            lists[0]["item_id"].sort_index().tolist() == lists[1]["item_id"].sort_index().tolist()
        )
    assert len(lists[0]) == len(lists[1])


def test_the_settled_configuration_says_what_the_dataset_was_made_with(run, shop):
    run("train", shop / "dataset", "--out", "model", "--set", "model.kind=ease")
    settled = tomllib.loads(Path("model/settled.toml").read_text(encoding="utf-8"))
    made_with = read_dataset_description(shop / "dataset")["config"]
    assert settled["split"]["kind"] == "leave_last_out"
    for section in ("log", "split", "text", "features", "order"):
        assert settled[section] == made_with[section]
    assert load_config("model/settled.toml").log.event_weights == {"view": 1, "cart": 3}


def test_a_configuration_that_was_found_says_what_the_dataset_was_made_with(run, shop):
    words = ["--out", "best.toml", "--set", "model.kind=popularity", "--try", "recent_days=[9]"]
    run("tune", shop / "dataset", *words)
    best = load_config("best.toml")
    assert best.split.kind == "leave_last_out"
    assert best.log.event_weights == {"view": 1, "cart": 3}
    run("train", shop / "dataset", "--out", "model", "--config", "best.toml")
    for name, words in (("plain", []), ("given", ["--config", "best.toml"])):
        words = ["--history", shop / "log.parquet", "--out", f"{name}.parquet", *words]
        run("recommend", "model", *words)
    assert pd.read_parquet("plain.parquet").equals(pd.read_parquet("given.parquet"))


def test_an_older_model_folder_reads_a_history_by_the_defaults(run, shop):
    trained(shop, "item_knn")
    path = Path("model/model.toml")
    content, _, _ = path.read_text(encoding="utf-8").partition("[data]")
    description = tomllib.loads(path.read_text(encoding="utf-8"))
    digest = hashlib.sha256(content.encode()).hexdigest()
    sums = description["sha256"] | {"model.toml": digest}
    path.write_text(content + to_toml({"sha256": sums}), encoding="utf-8")
    shop_log().to_parquet("log.parquet")
    run("recommend", "model", "--out", "lists.parquet", "--history", "log.parquet")
    expected = load_model("model").recommend(
        history=shop_log().sort_values(["timestamp"]).drop_duplicates(
            ["user_id", "item_id"], keep="last"
        )
    )  # fmt: skip
    found = pd.read_parquet("lists.parquet")
    key = ["user_id", "rank"]
    pd.testing.assert_frame_equal(
        found.sort_values(key, ignore_index=True), expected.sort_values(key, ignore_index=True)
    )


def flat(figures, prefix=""):
    """Return figures and those of groups by one name each."""
    pairs = [
        flat(value, f"{prefix}{name} ")
        if isinstance(value, dict)
        else {f"{prefix}{name}": np.nan if value is None else value}
        for name, value in figures.items()
    ]
    return {name: value for each in pairs for name, value in each.items()}


@pytest.fixture
def assert_same_metrics(recsparse):
    """Compare the metrics of lists in a file with those of the model that they are of."""

    def compare(file, dataset, *options):
        by_file = recsparse("evaluate-file", file, dataset, *options, "--json")
        by_model = recsparse("evaluate", "model", dataset, *options, "--json")
        assert (by_file.status, by_model.status) == (0, 0), by_file.err + by_model.err
        of_file, (of_model,) = flat(json.loads(by_file.out)), json.loads(by_model.out).values()
        expected = flat(of_model)
        found = {name: of_file[name] for name in expected}
        assert found == pytest.approx(expected, nan_ok=True)
        assert found["ndcg@10"] > 0

    return compare


def test_an_offline_list_of_the_test_part_has_the_metrics_of_evaluate(
    run, recsparse, shop, assert_same_metrics
):
    trained(shop, "item_knn")
    words = ["--dataset", shop / "dataset", "--history-parts", "train,validation"]
    run("recommend", "model", "--out", "lists.parquet", "-k", 20, *words)
    assert_same_metrics("lists.parquet", shop / "dataset")
    # From all rows, nothing of the test is left to recommend.
    run("recommend", "model", "--out", "all.parquet", "-k", 20, "--dataset", shop / "dataset")
    nothing = json.loads(recsparse("evaluate-file", "all.parquet", shop / "dataset", "--json").out)
    assert nothing["ndcg@10"] == 0


@pytest.mark.parametrize(
    ("split", "options"),
    [
        (["split.kind=held_out_users"], []),
        (["split.kind=random"], []),
        (["split.kind=global_time"], ["--include-users", "known"]),
    ],
)
def test_offline_lists_of_every_split_have_the_metrics_of_evaluate(
    run, workplace, assert_same_metrics, split, options
):
    shop_log().to_parquet("log.parquet")
    settings = [*split, "split.test=0.3", "split.validation=0.3"]
    prepare("log.parquet", "dataset", config=load_config(None, settings))
    train("dataset", "model", load_config(None, ["model.kind=item_knn"]))
    words = ["--dataset", "dataset", "--history-parts", "train,validation"]
    run("recommend", "model", "--out", "lists.parquet", "-k", 20, *words)
    assert_same_metrics("lists.parquet", "dataset", *options)


@pytest.mark.parametrize(
    "words", [["--history-parts", "train"], [*FROM_DATA, "all"], [*FROM_DATA, ""]]
)
def test_parts_that_are_none_or_of_no_dataset_end_with_status_two(recsparse, shop, words):
    trained(shop, "popularity")
    words = [shop / "dataset" if word == "d" else word for word in words]
    outcome = recsparse("recommend", "model", "--out", "lists.parquet", *words)
    assert outcome.status == 2
    assert "parts" in outcome.err
    assert not Path("lists.parquet").exists()


def test_a_logged_model_knows_the_settings_of_its_dataset(shop, workplace):
    result = trained(shop, "ease")
    served = load(result.model_uri).data
    assert served == load_model("model").data
    assert served.config().log.user_column == "customer"
    last = load_dataset(shop / "dataset").counts["last_training_second"]
    assert served.last_training_second == last


@pytest.mark.parametrize("kind", ["item_knn", "next_item_ridge"])
def test_a_served_model_reads_a_history_as_the_commands_do(run, shop, kind):
    result = trained(shop, kind)
    rows = pd.read_parquet(shop / "log.parquet").query("customer < 5")
    rows = rows.assign(customer=rows["customer"] + 900)
    rows.to_parquet("history.parquet")
    users = [*range(900, 905), 3, 7777]
    pairs = pd.DataFrame({"user_id": users, "item_id": [100 + each % 15 for each in users]})
    pairs.to_parquet("pairs.parquet")
    words = ["--candidates", "pairs.parquet", "--out", "scores.parquet", "--on-unknown", "null"]
    run("score", "model", *words, "--history", "history.parquet")
    served = mlflow.pyfunc.load_model(result.model_uri)
    history = json.dumps(rows.to_dict("records"))
    scores = served.predict(pairs, params={"history": history})["score"]
    expected = pd.read_parquet("scores.parquet")["score"]
    assert expected.notna().tolist() == [True] * 6 + [False]
    np.testing.assert_allclose(scores.astype(float), expected, rtol=1e-5)
    # Without a history, those users are not known.
    assert served.predict(pairs)["score"].notna().tolist() == [False] * 5 + [True, False]
