import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from recsparse.datasets.whole_part import PartCounts
from recsparse.errors import InputError, OutputError
from recsparse.evaluation.evaluate import RankingResult
from recsparse.evaluation.report import (
    REPORT,
    comparison_table,
    counts_table,
    group_tables,
    holm,
    part_figures,
    plot_comparison,
    run_figures,
    significance_table,
    write_report,
)
from recsparse.job import Job
from recsparse.outputs import claim

METRIC = "ndcg@10"


def result(values, coverage=0.5):
    array = np.array(values, dtype=np.float64)
    num_users = int((~np.isnan(array)).sum())
    return RankingResult({METRIC: array, "mrr@10": array / 2}, {"coverage@10": coverage}, num_users)


def three_models(num_users=30, seed=0):
    """Random qualities of three models, the last user without targets."""
    rng = np.random.default_rng(seed)
    base = rng.random(num_users)
    noise = rng.normal(0, 0.1, (2, num_users))
    values = {"best": base, "near": base - noise[0], "far": base - 0.3 + noise[1]}
    return {model: result([*mine, np.nan]) for model, mine in values.items()}


def test_the_comparison_has_users_means_errors_and_coverage():
    table = comparison_table(
        {"a": result([0.1, 0.5, np.nan]), "b": result([0.2, 0.2, np.nan], 1.0)}
    )
    assert table.columns.tolist() == [
        *("users", METRIC, f"{METRIC} ±", "mrr@10", "mrr@10 ±", "coverage@10"),
    ]
    assert table.index.name == "model"
    assert table.loc["a"].to_dict() == pytest.approx(
        {
            "users": 2,
            METRIC: (0.1 + 0.5) / 2,
            # Half the distance of two values is their standard error.
            f"{METRIC} ±": (0.5 - 0.1) / 2,
            "mrr@10": (0.1 + 0.5) / 2 / 2,
            "mrr@10 ±": (0.5 - 0.1) / 2 / 2,
            "coverage@10": 0.5,
        }
    )
    assert table.loc["b", f"{METRIC} ±"] == 0.0
    assert pd.api.types.is_integer_dtype(table["users"])


def test_p_values_are_those_of_scipys_paired_test_times_holms_factors():
    results = three_models()
    table = significance_table(results, "best", METRIC)
    own = results["best"].per_user[METRIC][:-1]
    raw = {}
    for model in ("near", "far"):
        other = results[model].per_user[METRIC][:-1]
        raw[model] = ttest_rel(own, other).pvalue
        assert table.loc[model, "difference"] == pytest.approx(own.mean() - other.mean())
        error = np.std(own - other, ddof=1) / math.sqrt(30)
        assert table.loc[model, "standard error"] == pytest.approx(error)
    assert raw["far"] < raw["near"]
    assert table.loc["far", "p"] == pytest.approx(2 * raw["far"])
    assert table.loc["near", "p"] == pytest.approx(max(raw["near"], 2 * raw["far"]))
    assert table.index.name == "best over"
    assert table.index.tolist() == ["near", "far"]


def test_equal_models_have_a_p_value_of_1():
    table = significance_table({"a": result([0.1, 0.7]), "b": result([0.1, 0.7])}, "a", METRIC)
    assert table.loc["b"].tolist() == [0.0, 0.0, 1.0]


def test_a_difference_that_is_the_same_for_every_user_is_no_chance():
    table = significance_table({"a": result([0.75, 0.5]), "b": result([0.5, 0.25])}, "a", METRIC)
    assert table.loc["b"].tolist() == [0.25, 0.0, 0.0]


def test_a_difference_that_is_all_but_the_same_gives_no_warning():
    ours, theirs = np.array([1.0, 0.2, 0.7] * 5), np.array([0.9, 0.1, 0.6] * 5)
    table = significance_table({"a": result(ours), "b": result(theirs)}, "a", METRIC)
    assert table.loc["b", "p"] == pytest.approx(0.0, abs=1e-12)


def test_one_user_has_a_difference_but_no_p_value():
    table = significance_table({"a": result([0.5]), "b": result([0.25])}, "a", METRIC)
    assert table.loc["b", "difference"] == 0.25
    assert table.loc["b", ["standard error", "p"]].isna().all()


def test_users_without_targets_have_no_difference():
    table = significance_table({"a": result([np.nan]), "b": result([np.nan])}, "a", METRIC)
    assert table.loc["b"].isna().all()


def test_one_model_alone_has_nothing_to_be_compared_with():
    table = significance_table({"a": result([0.5, 0.1])}, "a", METRIC)
    assert table.columns.tolist() == ["difference", "standard error", "p"]
    assert len(table) == 0


@pytest.mark.parametrize(("reference", "metric"), [("c", METRIC), ("a", "ndcg@11")])
def test_an_unknown_reference_or_metric_is_refused(reference, metric):
    with pytest.raises(InputError, match=f"a result '{reference}' with the metric '{metric}'"):
        significance_table({"a": result([0.5])}, reference, metric)


def test_a_model_without_the_metric_is_refused():
    other = RankingResult({"recall@5": np.zeros(2)}, {}, 2)
    with pytest.raises(InputError, match=f"a result 'b' with the metric '{METRIC}'"):
        significance_table({"a": result([0.5, 0.1]), "b": other}, "a", METRIC)


@pytest.mark.parametrize("other", [[0.5], [0.5, np.nan]])
def test_results_on_other_users_are_refused(other):
    results = {"a": result([0.5, 0.1]), "b": result(other)}
    with pytest.raises(InputError, match="same users, but b and a are not"):
        significance_table(results, "a", METRIC)


def test_errors_of_ratings_are_compared_over_the_users_of_whom_both_models_predict_some():
    values = {"a": [0.5, 1.0, np.nan, 2.0], "b": [0.25, np.nan, 3.0, 1.5]}
    results = {
        model: RankingResult({"user_rmse": np.array(errors)}, {}, 4)
        for model, errors in values.items()
    }
    table = significance_table(results, "a", "user_rmse")
    assert table.loc["b", "difference"] == (0.25 + 0.5) / 2


PART = PartCounts(
    users=5, rows=9, unseen_users=2, rows_of_unseen_users=3, unseen_items=1,
    users_of_unseen_items=2, rows_of_unseen_items=4, evaluated_users=3, evaluated_rows=5,
    users_without_history=1, rows_of_users_without_history=2,
)  # fmt: skip


def counted(values, is_new):
    """A result that says what it is of."""
    return replace(
        result(values), part=PART, is_new=np.array(is_new), unknown_items=1, rows_of_unknown_items=4
    )


def test_what_is_counted_stands_behind_the_figures_of_each_model():
    table = comparison_table({"a": counted([0.5, 0.0, 1.0], [False, True, True])})
    assert table.columns.tolist()[-2:] == ["unknown items", "rows of unknown items"]
    assert table.loc["a"].tolist()[-2:] == [1, 4]
    assert counts_table(PART).to_dict("index") == {
        "test part": {"users": 5, "rows": 9},
        "users without training rows": {"users": 2, "rows": 3},
        "1 items without training rows": {"users": 2, "rows": 4},
        "evaluated": {"users": 3, "rows": 5},
        "evaluated without a history": {"users": 1, "rows": 2},
    }


def test_figures_of_a_run_have_names_of_their_own():
    figures = run_figures(counted([0.5, 0.0, 1.0], [False, True, True]))
    names = (METRIC, f"known_users_{METRIC}", f"new_users_{METRIC}", "coverage@10")
    assert [figures[f"test_{name}"] for name in names] == [0.5] * 4
    assert figures["test_rows_of_unknown_items"] == 4
    assert part_figures(PART).items() <= figures.items()
    assert part_figures(PART)["test_rows_of_unseen_users"] == 3
    assert part_figures(None) == {}
    assert run_figures(result([0.5])) == {
        f"test_{METRIC}": 0.5,
        "test_mrr@10": 0.25,
        "test_coverage@10": 0.5,
    }


def test_groups_are_tables_of_their_own_where_there_are_two():
    some = {"a": counted([0.5, 0.0, 1.0], [False, True, True])}
    tables = group_tables(some)
    assert {name: table.loc["a", "users"] for name, table in tables.items()} == {
        "known users": 1,
        "new users": 2,
    }
    assert group_tables({"a": counted([0.5], [True])}) == group_tables({}) == {}


def test_holm_by_hand():
    """Sorted, the values are multiplied by 4, 3, 2, 1, and none falls below the one before."""
    p_values = np.array([0.01, 0.04, 0.03, 0.005])
    expected = [0.01 * 3, 0.03 * 2, 0.03 * 2, 0.005 * 4]
    assert holm(p_values).tolist() == pytest.approx(expected)


def holm_one_by_one(p_values):
    """The definition: the largest of all products up to each value's place, at most 1."""
    ranked = sorted(p_values)
    products = [(len(ranked) - place) * p for place, p in enumerate(ranked)]
    return [min(1.0, max(products[: ranked.index(p) + 1])) for p in p_values]


@given(st.lists(st.floats(0, 1), max_size=6, unique=True))
def test_holm_is_its_definition(p_values):
    adjusted = holm(np.array(p_values, dtype=np.float64))
    assert adjusted.tolist() == pytest.approx(holm_one_by_one(p_values))
    assert (adjusted >= p_values).all()


def test_the_picture_has_a_bar_a_model_and_the_best_on_top():
    figure = plot_comparison(three_models(), METRIC)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["far", "near", "best"]
    means = {model: one.mean()[METRIC] for model, one in three_models().items()}
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([means["far"], means["near"], means["best"]])
    assert METRIC in axes.get_xlabel()


def test_a_report_has_its_text_tables_and_picture(tmp_path):
    results = three_models()
    table = comparison_table(results).assign(**{"fit seconds": [1.5, np.nan, 20.0]})
    write_report(tmp_path / "report", results, table, reference="best")
    files = {path.name for path in (tmp_path / "report").iterdir()}
    written = {"report.md", "comparison.parquet", "metrics.parquet", "comparison.png"}
    assert files == written | {"manifest.toml"}
    stored = pd.read_parquet(tmp_path / "report" / "comparison.parquet")
    pd.testing.assert_frame_equal(stored.set_index("model"), table)
    per_user = pd.read_parquet(tmp_path / "report" / "metrics.parquet")
    for model, one in results.items():
        of_model = per_user[per_user["model"] == model]
        assert of_model["user_index"].tolist() == list(range(31))
        for metric, values in one.per_user.items():
            np.testing.assert_array_equal(of_model[metric], values)
    assert (tmp_path / "report" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_text_of_a_report_has_a_row_a_model_and_full_numbers_of_users(tmp_path):
    results = {"a": result(np.linspace(0, 1, 12_345)), "b": result(np.linspace(0, 0.5, 12_345))}
    write_report(tmp_path / "report", results, comparison_table(results), reference="a")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "# Test part, 12,345 users" in text
    assert "| a | 12,345 | 0.5 |" in text
    assert "| b | 12,345 | 0.25 |" in text
    assert f"## {METRIC}: a against each" in text
    assert "| b | 0.25 |" in text


def test_an_older_report_is_replaced_where_that_is_asked_for(tmp_path):
    results = {"a": result([0.5, 0.1])}
    arguments = results, comparison_table(results), "a"
    write_report(tmp_path / "report", *arguments)
    with pytest.raises(OutputError, match="holds a report of another job"):
        write_report(tmp_path / "report", *arguments)
    (tmp_path / "report" / "manifest.toml").unlink()
    job = Job("evaluate", "b")
    with (
        pytest.raises(OutputError, match="of an older build"),
        claim(tmp_path / "report", REPORT, job),
    ):
        pass
    with claim(tmp_path / "report", REPORT, job, overwrite=True) as output:
        write_report(output, *arguments)
    with claim(tmp_path / "report", REPORT, job) as output:
        write_report(output, *arguments)
    assert len(list((tmp_path / "report").iterdir())) == 5


def test_a_report_takes_no_foreign_file_away(tmp_path):
    results = {"a": result([0.5, 0.1])}
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "old.txt").write_text("old")
    with pytest.raises(OutputError, match=r"it is none: it holds old\.txt; nothing was touched"):
        write_report(tmp_path / "report", results, comparison_table(results), "a")
    assert (tmp_path / "report" / "old.txt").read_text() == "old"


def test_a_report_of_an_unknown_reference_is_refused_and_nothing_written(tmp_path):
    results = {"a": result([0.5, 0.1])}
    with pytest.raises(InputError, match=r"a result of 'b', but there are \['a'\]"):
        write_report(tmp_path / "report", results, comparison_table(results), reference="b")
    assert list(tmp_path.iterdir()) == []


def test_a_report_on_users_without_targets_is_still_written(tmp_path):
    results = {"a": result([np.nan, np.nan]), "b": result([np.nan, np.nan])}
    write_report(tmp_path / "report", results, comparison_table(results), reference="a")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| a | 0 | nan |" in text
