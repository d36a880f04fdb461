import math

import pandas as pd
import pytest

from recsparse.config.config import TrackingConfig
from recsparse.errors import InputError
from recsparse.stages.run_comparison import best_runs, compare_runs, diff_runs
from recsparse.tracking.data_input import DataInput
from recsparse.tracking.open_run import start_run

ROWS = pd.DataFrame({"user_id": [1]})


def record(folder, name, figures, digest="same", experiment="recsparse", **settings):
    with start_run(
        TrackingConfig(experiment=experiment), folder, name, {"torch_version": settings["torch"]}
    ) as run:
        run.log_params({"model": settings})
        run.log_inputs([DataInput("train", "d/train", digest, "/d", ROWS, {"num_rows": 1})])
        run.log_metrics(figures)
    return run.run_id


@pytest.fixture
def two(workplace):
    first = {"test_ndcg@10": 0.25, "test_coverage@10": 0.0, "test_rmse": math.nan, "loss": 3.0}
    second = {"test_ndcg@10": 0.5, "test_coverage@10": 0.5, "test_rmse": math.nan}
    return (
        record(workplace, "one", first, torch="2.8", factors=8),
        record(workplace, "other", second, "changed", torch="2.9", factors=16),
    )


def test_the_figures_of_two_runs_stand_side_by_side(workplace, two):
    found = compare_runs(workplace, "one", two[1][:10]).set_index("metric")
    assert list(found.index) == ["test_coverage_at_10", "test_ndcg_at_10", "test_rmse"]
    assert list(found) == [
        f"one ({two[0][:8]})", f"other ({two[1][:8]})", "difference", "change %",
    ]  # fmt: skip
    assert found.loc["test_ndcg_at_10"].tolist() == [0.25, 0.5, 0.5 - 0.25, 100.0]
    assert found.loc["test_coverage_at_10"].tolist()[:3] == [0, 0.5, 0.5]
    assert math.isnan(found.loc["test_coverage_at_10", "change %"])


def test_runs_differ_in_settings_data_figures_and_environment(workplace, two):
    found = diff_runs(workplace, "one", "other")
    assert found.to_numpy().tolist() == [
        ["parameter", "model.factors", "8", "16"],
        ["parameter", "model.torch", "2.8", "2.9"],
        ["data", "training", "d/train same", "d/train changed"],
        ["metric", "loss", 3.0, None],
        ["metric", "test_coverage_at_10", 0.0, 0.5],
        ["metric", "test_ndcg_at_10", 0.25, 0.5],
        ["environment", "torch_version", "2.8", "2.9"],
    ]


def test_the_best_of_all_experiments_comes_first(workplace, two):
    record(workplace, "elsewhere", {"test_ndcg@10": 0.4}, experiment="mine", torch="2.8")
    for metric in ("test_ndcg@10", "ndcg@10", "metrics.test_ndcg_at_10"):
        found = best_runs(workplace, metric)
        assert found["name"].tolist() == ["other", "elsewhere", "one"]
        assert found["test_ndcg_at_10"].tolist() == [0.5, 0.4, 0.25]
    assert found["experiment"].tolist() == ["recsparse", "mine", "recsparse"]
    one = best_runs(workplace, "ndcg@10", TrackingConfig(experiment="mine"))
    assert one["name"].tolist() == ["elsewhere"]


def test_runs_of_mlflows_own_evaluation_are_no_best_models(workplace, two):
    record(workplace, "candidates alone", {"ndcg@10": 0.9}, torch="2.8")
    assert best_runs(workplace, "ndcg@10")["name"].tolist() == ["other", "one"]
    assert best_runs(workplace, "ndcg_at_10")["name"].tolist() == ["candidates alone"]


def test_of_errors_the_lowest_comes_first(workplace):
    for name, rmse in (("bad", 2.0), ("good", 1.0)):
        record(workplace, name, {"test_rmse": rmse, "test_ndcg@10": rmse}, torch="2.8")
    assert best_runs(workplace, "rmse")["name"].tolist() == ["good", "bad"]
    assert best_runs(workplace, "ndcg@10")["name"].tolist() == ["bad", "good"]


def test_of_metrics_that_are_the_better_the_lower_the_lowest_comes_first(workplace):
    for name, value in (("even", 0.2), ("uneven", 0.9)):
        figures = {"test_gini@10": value, "test_novelty@10": value, "fit_seconds": value}
        record(workplace, name, figures, torch="2.8")
    assert best_runs(workplace, "gini@10")["name"].tolist() == ["even", "uneven"]
    assert best_runs(workplace, "fit_seconds")["name"].tolist() == ["even", "uneven"]
    assert best_runs(workplace, "novelty@10")["name"].tolist() == ["uneven", "even"]


def test_a_metric_like_none_is_told_with_some_of_those_there_are(workplace):
    figures = {f"test_ndcg@{k}": 0.5 for k in range(1, 60)} | {"ease/test_ndcg@1": 0.5}
    record(workplace, "one", figures, torch="2.8")
    with pytest.raises(InputError, match="known are ") as raised:
        best_runs(workplace, "xyz")
    assert str(raised.value).count("'test_ndcg_at_") == 20
    assert "ease/" not in str(raised.value)


def test_a_metric_that_no_run_has_is_told_with_the_nearest(workplace, two):
    with pytest.raises(InputError, match=r"'test_ncdg@10', but none has; .* 'test_ndcg_at_10'"):
        best_runs(workplace, "test_ncdg@10")


def test_a_run_is_not_compared_with_itself_nor_with_one_of_other_figures(workplace, two):
    with pytest.raises(InputError, match="two runs must be named"):
        compare_runs(workplace, "one", two[0])
    record(workplace, "third", {"other": 1.0}, torch="2.8")
    with pytest.raises(InputError, match="must have a figure in common"):
        compare_runs(workplace, "one", "third")
