import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import typer

from benchmarks import features
from benchmarks.features import (
    ALL,
    HOW_MANY,
    NONE,
    SHUFFLED,
    dataset,
    feature_sets,
    features_of,
    measure,
    situations,
    table,
    warm_model,
)
from benchmarks.protocols import featured_logs
from benchmarks.protocols.featured_logs import FEATURED_LOGS, FeaturedLog, log_of
from recsparse.config.network_models import BPRConfig, TextTowerConfig
from recsparse.config.toml_reader import load_config
from recsparse.config.training import TrainingConfig
from recsparse.datasets.synthetic import synthetic_log

SMALL = FeaturedLog(
    {"text": "words", "genres": "category"},
    ("text.columns=['text']", "features.categories=['category']", "split.min_rows=3"),
)
REVIEWS = FeaturedLog(
    {"reviews": "reviews"}, ("text.log_columns=['review']",), has_items=False, has_times=True
)


@pytest.fixture
def public(tmp_path, monkeypatch):
    """Public data of two logs, and models that train for a moment."""
    log = synthetic_log(40, 30, 500, seed=0)
    rows = log.table.to_pandas()
    items = pd.DataFrame({"item_id": np.unique(rows["item_id"])})
    items["text"] = [f"word{place} common" for place in range(len(items))]
    items["category"] = [f"c{place % 4}" for place in range(len(items))]
    rows["review"] = "of " + rows["item_id"].astype(str)
    for name in ("small", "reviews"):
        (tmp_path / name).mkdir()
        rows.to_parquet(tmp_path / name / "interactions.parquet")
    items.to_parquet(tmp_path / "small" / "items.parquet")
    monkeypatch.setenv("RECSPARSE_DATA", str(tmp_path))
    monkeypatch.setattr(featured_logs, "FEATURED_LOGS", {"small": SMALL, "reviews": REVIEWS})
    once = TrainingConfig(epochs=1)
    tower, bpr = TextTowerConfig(channels=4, training=once), BPRConfig(channels=4, training=once)
    monkeypatch.setattr(features, "TextTowerConfig", lambda: tower)
    monkeypatch.setattr(features, "warm_model", lambda *_: bpr)
    return tmp_path


def rows_of(found):
    return [group.values.toarray().tolist() for group in found.groups]


@pytest.mark.parametrize(
    ("name", "situation"), [("small", "warm"), ("small", "cold"), ("reviews", "warm")]
)
def test_the_control_has_the_same_features_of_other_items(public, name, situation):
    data = dataset(name, situation, 0, public / "dataset")
    own, shuffled = (rows_of(features_of(data, situation, seed)) for seed in (None, 0))
    num_new = len(data.unseen_items) if situation == "cold" else 0
    assert (num_new > 0) == (situation == "cold")
    for group, moved in zip(own, shuffled, strict=True):
        assert len(group) == len(data.items) + num_new
        assert moved != group
        assert sorted(moved) == sorted(group)
    # All that is known of an item moves together.
    pairs = [sorted(zip(*each, strict=True)) for each in (own, shuffled)]
    assert pairs[0] == pairs[1]


def test_cold_items_with_more_features_are_ranked_first_where_none_is_read(public):
    items = pd.read_parquet(public / "small/items.parquet")
    rows = pd.read_parquet(public / "small/interactions.parquet")
    taken = rows["item_id"].value_counts()
    # As many words as rows, so that a user's most popular item comes first.
    items["text"] = [
        " ".join(f"word{place}" for place in range(taken[item])) for item in items["item_id"]
    ]
    items.to_parquet(public / "small/items.parquet")
    by_count = measure_cold(public)
    items["text"] = "word"
    items.to_parquet(public / "small/items.parquet")
    assert by_count.mean() > measure_cold(public).mean()


def measure_cold(public):
    data = dataset("small", "cold", 0, public / f"dataset-{len([*public.iterdir()])}")
    return measure(TextTowerConfig(), (), data, "cold", 0, False)


def test_the_order_of_the_control_is_that_of_the_seed(public):
    data = dataset("small", "cold", 0, public / "dataset")
    first, again, other = (rows_of(features_of(data, "cold", seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_all_sets_are_measured_and_kept(public, monkeypatch, capsys):
    features.run(["small", "reviews"], seeds=1, out=public / "out")
    kept = sorted(file.stem for file in (public / "out/small/warm/seed-0").glob("*.parquet"))
    assert kept == ["all", "all-shuffled", "genres", "none", "text"]
    assert len([*(public / "out/small/cold/seed-0").glob("*.parquet")]) == 5
    assert len([*(public / "out/reviews").glob("*/seed-*/*.parquet")]) == 3
    shown = capsys.readouterr().out
    monkeypatch.setattr(features, "measure", lambda *_: pytest.fail("it was measured before"))
    features.run(["small", "reviews"], seeds=1, out=public / "out")
    assert capsys.readouterr().out == shown


def test_the_model_of_warm_items_is_that_of_the_default_where_there_are_times(public, monkeypatch):
    data = dataset("reviews", "warm", 0, public / "timed")
    found = warm_model(data)
    assert (found.kind, found.dropout, found.features) == ("timeline", 0.5, "all")
    small = warm_model(data, small=True)
    assert (small.channels, small.training.epochs, small.dropout) == (32, 12, 0.5)
    untimed = pq.read_table(public / "small/interactions.parquet").drop_columns(["timestamp"])
    pq.write_table(untimed, public / "small/interactions.parquet")
    assert warm_model(dataset("small", "warm", 0, public / "untimed")).kind == "bpr"


def test_sets_of_features_end_with_the_control():
    assert feature_sets(SMALL, "warm") == {
        NONE: (),
        "text": ("words",),
        "genres": ("category",),
        ALL: ("words", "category"),
        SHUFFLED: ("words", "category"),
    }
    assert [*feature_sets(SMALL, "cold")] == [HOW_MANY, "text", "genres", ALL, SHUFFLED]
    assert [*feature_sets(REVIEWS, "warm")] == [NONE, ALL, SHUFFLED]


def test_items_without_rows_have_no_reviews():
    assert situations(SMALL, None) == ["warm", "cold"]
    assert situations(SMALL, "cold") == ["cold"]
    wanted = re.escape("--situation must be one of ['warm'], but is 'cold'")
    with pytest.raises(typer.BadParameter, match=wanted):
        situations(REVIEWS, "cold")


def test_data_must_be_known():
    with pytest.raises(typer.BadParameter, match=r"some of .*citeulike-t.*, but got 'none'"):
        log_of("none")


@pytest.mark.parametrize("name", FEATURED_LOGS)
def test_the_columns_that_are_read_are_in_the_data(name, real_data):
    log = FEATURED_LOGS[name]
    config = load_config(overrides=log.settings)
    columns = {*pq.read_schema(real_data / f"{name}/{log.log}").names}
    assert {*config.text.log_columns} <= columns
    assert (config.log.timestamp_column in columns) == log.has_times
    if log.has_items:
        table_columns = {*pq.read_schema(real_data / f"{name}/items.parquet").names}
        assert {*config.text.columns, *config.features.categories} <= table_columns


def test_ratios_are_to_none_and_to_the_control():
    rng = np.random.default_rng(0)
    users = pd.Series(rng.random(200))
    noise = [pd.Series(rng.normal(0, 0.01, 200)) for _ in range(2)]
    better = [2 * users + each for each in noise]
    shown = table(
        {
            "warm": {NONE: [users] * 2, ALL: better, SHUFFLED: [users + each for each in noise]},
            "cold": {ALL: better, SHUFFLED: [users] * 2},
        }
    ).set_index("features")
    mean = np.mean([each.mean() for each in better]) / users.mean()
    assert shown.loc[ALL, "warm ÷ none"] == shown.loc[ALL, "cold ÷ shuffled"] == f"{mean:.3f}"
    assert shown.loc[NONE, "warm"] == f"{users.mean():.4f} ± 0.0000"
    assert shown.loc[NONE, "cold"] == shown.loc[SHUFFLED, "cold p"] == ""
    assert float(shown.loc[ALL, "cold p"]) < 1e-9 < float(shown.loc[NONE, "warm p"])
