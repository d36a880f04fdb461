import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.significance import holm, significance_table
from tests.evaluation.test_report import METRIC, result, three_models


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
