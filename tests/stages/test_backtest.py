"""Backtests against the same windows prepared, trained and evaluated one by one."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError, OutputError
from recsparse.stages.backtest import backtest
from recsparse.stages.backtesting import work as module
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from tests.backtest_logs import MODELS, config_of, rows_of
from tests.prepared import contents


@pytest.fixture
def log(workplace):
    rows_of(30).to_parquet("log.parquet")
    return workplace / "log.parquet"


def test_each_window_is_as_if_prepared_trained_and_evaluated_by_itself(log):
    config = config_of("backtest.gap=1d", "backtest.history=12d", "backtest.validation=3d")
    result = backtest(log, MODELS, "out", config)
    end = pd.to_datetime(pd.read_parquet(log)["timestamp"].max() + 1, unit="s", utc=True)
    assert [split.end for split in result.splits] == [
        end - pd.Timedelta(days=d) for d in (10, 5, 0)
    ]
    times = {
        "test_until": end - pd.Timedelta(days=5),
        "test_from": end - pd.Timedelta(days=10),
        "known_until": end - pd.Timedelta(days=11),
        "validation_from": end - pd.Timedelta(days=14),
        "train_from": end - pd.Timedelta(days=23),
    }
    overrides = [f"split.{name}='{time.isoformat()}'" for name, time in times.items()]
    window = load_config(None, ["split.kind=time_window", *overrides])
    data = prepare(log, "second", config=window)
    frame = pd.read_parquet(log)
    when = pd.to_datetime(frame["timestamp"], unit="s", utc=True)
    trained_on = frame[(when >= times["train_from"]) & (when < times["validation_from"])]
    assert data.counts["train_rows"] == len(trained_on.drop_duplicates(["user_id", "item_id"]))
    for model in MODELS:
        train("second", model, load_config(None, [f"model.kind={model}"]))
    expected = evaluate(MODELS, "second", config=config)
    table = result.windows.set_index(["split", "model", "metric"])
    for model in MODELS:
        for metric, mean in expected.results[model].mean().items():
            row = table.loc[("window 2", model, metric)]
            assert row["mean"] == pytest.approx(mean, rel=1e-12)
            assert row["users"] == expected.results[model].num_users
            error = expected.results[model].standard_error()[metric]
            assert row["standard error"] == pytest.approx(error)
    of_both = result.table.loc[("item_knn", "ndcg@5")]
    means = [table.loc[(f"window {n}", "item_knn", "ndcg@5"), "mean"] for n in (1, 2, 3)]
    assert of_both["mean"] == pytest.approx(np.mean(means))
    assert of_both["best in"] + result.table.loc[("popularity", "ndcg@5")]["best in"] == 3


def test_another_future_changes_nothing_of_a_window(log, workplace):
    first = backtest(log, MODELS, "first", config_of())
    frame = pd.read_parquet(log)
    end = int(first.splits[0].end.timestamp())
    last = frame["timestamp"].max()
    future = rows_of(30, seed=9).assign(user_id=lambda rows: rows["user_id"] + 15)
    future["item_id"] += 30
    future = future[(future["timestamp"] >= end) & (future["timestamp"] < last)]
    changed = pd.concat([frame[frame["timestamp"] < end], future, frame.tail(1)])
    changed.to_parquet("changed.parquet")
    second = backtest("changed.parquet", MODELS, "second", config_of("backtest.windows=3"))
    of_first = [each.users[each.users["split"] == "window 1"] for each in (first, second)]
    pd.testing.assert_frame_equal(*of_first)
    assert not first.users.equals(second.users)


class Stopped(Exception):  # noqa: N818
    pass


def failing_at(monkeypatch, number):
    """Let a fit fail, and count all."""
    real, calls = module.fitted_cell, []

    def fitted_cell(*given):
        calls.append(given)
        if len(calls) == number:
            raise Stopped
        return real(*given)

    monkeypatch.setattr(module, "fitted_cell", fitted_cell)
    return calls


def test_a_stopped_backtest_goes_on_where_it_stopped_with_the_same_bytes(log, monkeypatch):
    backtest(log, MODELS, "whole", config_of())
    with monkeypatch.context() as patch:
        failing_at(patch, 4)
        with pytest.raises(Stopped):
            backtest(log, MODELS, "out", config_of())
    assert sorted(path.name for path in log.parent.iterdir() if path.name.startswith("out")) == [
        "out.cells"
    ]
    calls = failing_at(monkeypatch, 0)
    backtest(log, MODELS, "out", config_of())
    assert len(calls) == 3
    assert contents("out") == contents("whole")
    assert not (log.parent / "out.cells").exists()


def test_a_damaged_cell_is_made_again(log, monkeypatch):
    backtest(log, MODELS, "whole", config_of())
    with monkeypatch.context() as patch:
        failing_at(patch, 4)
        with pytest.raises(Stopped):
            backtest(log, MODELS, "out", config_of())
    cell = log.parent / "out.cells" / "cell-1-0-0.parquet"
    cell.write_bytes(cell.read_bytes()[:-20])
    calls = failing_at(monkeypatch, 0)
    backtest(log, MODELS, "out", config_of())
    assert len(calls) == 4
    assert contents("out") == contents("whole")


def test_unfinished_work_of_other_settings_is_noticed(log, monkeypatch):
    with monkeypatch.context() as patch:
        failing_at(patch, 2)
        with pytest.raises(Stopped):
            backtest(log, MODELS, "out", config_of())
    other = config_of("backtest.windows=2")
    for models, config in ((MODELS, other), (MODELS[:1], config_of())):
        with pytest.raises(OutputError, match=r"unfinished backtest of .* pass --overwrite"):
            backtest(log, models, "out", config, overwrite=False)
    assert len(backtest(log, MODELS, "out", other).splits) == 2
    with pytest.raises(OutputError, match="holds a backtest of another job"):
        backtest(log, MODELS, "out", config_of(), overwrite=False)


def test_folds_and_seeds_give_each_row_once_a_seed(log):
    config = load_config(
        None,
        ["backtest.folds=3", "backtest.seeds=2", "seed=5", "evaluation.metrics=['all@5']",
         "evaluation.catalogue=all"],
    )  # fmt: skip
    result = backtest(log, MODELS, "out", config, keep=True)
    assert [split.name for split in result.splits[::3]] == ["fold 1, seed 5", "fold 1, seed 6"]
    folders = sorted((log.parent / "out" / "datasets").iterdir())
    assert [folder.name for folder in folders[:2]] == ["fold-1-seed-5", "fold-1-seed-6"]
    pairs = len(pd.read_parquet(log).drop_duplicates(["user_id", "item_id"]))
    for seed in (5, 6):
        tests = [load_dataset(each) for each in folders if each.name.endswith(str(seed))]
        rows = pd.concat([each.with_ids(each.split.test).to_pandas() for each in tests])
        assert len(rows) == pairs
        assert not rows.duplicated(["user_id", "item_id"]).any()
    assert len(result.table) == 2 * 6
    assert set(result.users["seed"]) == {5, 6}


def test_several_seeds_of_a_window_are_averaged_before_windows_are(log):
    settings = ["backtest.seeds=3", "backtest.windows=2", "model.kind=ials", "model.factors=4"]
    result = backtest(log, ["popularity", "ials"], "out", config_of(*settings))
    users = result.users.query("model == 'ials' and split == 'window 1'")
    by_seed = users.groupby("seed")["ndcg@5"].mean()
    assert by_seed.nunique() == 3
    row = result.windows.set_index(["split", "model", "metric"]).loc[("window 1", "ials", "ndcg@5")]
    assert row["mean"] == pytest.approx(by_seed.mean())
    assert result.table.loc[("ials", "ndcg@5"), "splits"] == 2


def test_a_configuration_names_a_model_and_the_rest_is_of_the_backtest(log):
    (log.parent / "near.toml").write_text(
        '[model]\nkind = "item_knn"\nneighbours = 1\n[evaluation]\nmetrics = ["map@3"]\n'
    )
    result = backtest(log, ["item_knn", "near.toml"], "out", config_of())
    assert [*result.cells] == ["item_knn", "near"]
    assert "map@3" not in result.windows["metric"].unique()
    ndcg = result.windows.query("metric == 'ndcg@5'").groupby("model")["mean"].mean()
    assert ndcg["item_knn"] != ndcg["near"]


def test_mlflow_has_a_run_and_in_it_one_a_model_with_a_step_a_window(log, workplace):
    result = backtest(log, MODELS, "out", config_of())
    store = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    experiment = store.get_experiment_by_name("recsparse").experiment_id
    # Their names end with the day and the second.
    runs = {run.info.run_name[:-16]: run for run in store.search_runs([experiment])}
    assert {*runs} == {"backtest", "backtest-popularity", "backtest-item_knn"}
    parent = runs["backtest"]
    files = {file.path for file in store.list_artifacts(parent.info.run_id)}
    assert {"report.html", "backtest.png", "windows.parquet", "windows.json"} <= files
    assert parent.data.params["backtest.every"] == "5d"
    child = runs["backtest-item_knn"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    found = store.get_metric_history(child.info.run_id, "test_ndcg_at_5")
    means = result.windows.query("model == 'item_knn' and metric == 'ndcg@5'")["mean"].tolist()
    assert [(each.step, each.value) for each in found] == [*enumerate(means, 1)]
    assert all(run.info.status == "FINISHED" for run in runs.values())


def test_the_page_and_the_tables_tell_the_same(log):
    result = backtest(log, MODELS, "out", config_of())
    windows = pd.read_parquet("out/windows.parquet")
    pd.testing.assert_frame_equal(windows, result.windows, check_dtype=False)
    users = pd.read_parquet("out/users.parquet")
    means = users.groupby(["split", "model"], sort=False)["ndcg@5"].mean()
    of_windows = windows[windows["metric"] == "ndcg@5"].set_index(["split", "model"])["mean"]
    assert of_windows.to_dict() == pytest.approx(means.to_dict())
    page = (log.parent / "out" / "report.html").read_text()
    start, end = result.splits[0].start, result.splits[-1].end
    assert f"3 windows, from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} (UTC)" in page
    for model in MODELS:
        assert f"{result.table.loc[(model, 'ndcg@5'), 'mean']:.4g}" in page
    difference = result.differences.loc[("ndcg@5", "item_knn")]
    assert f"p = {difference['p']:.4g}" in page
    assert str(result).startswith("ndcg@5, 3 splits")


def test_frames_and_tables_are_taken_and_other_sources_are_not(log):
    frame = pd.read_parquet(log)
    items = pd.DataFrame({"item_id": range(60), "title": [f"kind{i % 3}" for i in range(60)]})
    sources = Sources(logs=frame, items=items)
    config = config_of("evaluation.metrics=['ndcg@5', 'ild@5', 'arp@5', 'gini@5']")
    result = backtest(sources, ["popularity", "text_ridge"], "out", config)
    assert result.metric == "ndcg@5"
    table = result.table["mean"].unstack()
    assert table["ild@5"].between(0.1, 0.9).all()
    assert table.loc["popularity", "arp@5"] > table.loc["text_ridge", "arp@5"]
    best = result.table["best in"].unstack()
    assert best["arp@5"].isna().all()
    assert best["ild@5"].sum() == 3
    assert "gini@5" in result.results["popularity"]["window 1"].coverage
    with pytest.raises(InputError, match=r"parts one log itself, .* but got test"):
        backtest(Sources(logs=frame, test=frame), MODELS, "other", config_of())


def test_the_python_of_the_guide_runs(log, capsys):
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "backtest.md"
    (code,) = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "backtest.md", "exec"), {})
    assert "popularity over" in capsys.readouterr().out
