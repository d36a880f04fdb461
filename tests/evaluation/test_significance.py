import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, nct, permutation_test, ttest_rel
from scipy.stats import t as student_t

from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.significance import (
    holm,
    significance_table,
    significance_tables,
    users_needed,
)
from tests.evaluation.results import METRIC, result, three_models

TESTED = ["difference", "standard error", "p"]


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
    assert table.loc["b", TESTED].tolist() == [0.0, 0.0, 1.0]


def test_a_difference_that_is_the_same_for_every_user_is_no_chance():
    table = significance_table({"a": result([0.75, 0.5]), "b": result([0.5, 0.25])}, "a", METRIC)
    assert table.loc["b", TESTED].tolist() == [0.25, 0.0, 0.0]


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
    counts = ["users", "undefined"]
    assert table.loc["b", counts].tolist() == [0, 1]
    assert table.loc["b"].drop(counts).isna().all()


def test_one_model_alone_has_nothing_to_be_compared_with():
    table = significance_table({"a": result([0.5, 0.1])}, "a", METRIC)
    assert table.columns.tolist()[:3] == TESTED
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


def paired_values(num_users, gain, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.random(num_users)
    return {"a": base + gain + rng.normal(0, 0.1, num_users), "b": base}


def table_of(values):
    return significance_table({model: result(each) for model, each in values.items()}, "a", METRIC)


def mean_of_difference(own, other, axis=-1):
    return np.mean(own - other, axis=axis)


@pytest.mark.parametrize("num_users", [6, 12, 13])
def test_few_users_have_scipys_exact_p_value_of_randomisation(num_users):
    values = paired_values(num_users, 0.05)
    exact = permutation_test(
        (values["a"], values["b"]), mean_of_difference, permutation_type="samples",
        vectorized=True, n_resamples=10_000,
    )  # fmt: skip
    assert table_of(values).loc["b", "p randomisation"] == pytest.approx(exact.pvalue)


def test_many_users_have_scipys_p_value_of_randomisation_but_for_the_draws():
    values = paired_values(60, 0.02)
    drawn = permutation_test(
        (values["a"], values["b"]), mean_of_difference, permutation_type="samples",
        vectorized=True, n_resamples=20_000, rng=3,
    )  # fmt: skip
    spread = math.sqrt(drawn.pvalue * (1 - drawn.pvalue) * (1 / 10_000 + 1 / 20_000))
    found = table_of(values).loc["b", "p randomisation"]
    assert found == pytest.approx(drawn.pvalue, abs=5 * spread)


def test_ties_of_sums_count_as_as_far():
    """Of hits and misses, many signs give the very same sum: here each of two."""
    values = {"a": [1.0, 0, 0], "b": [0.0, 0, 0]}
    assert table_of(values).loc["b", "p randomisation"] == 1
    many = {"a": [1.0] * 20 + [0.0] * 20, "b": [0.0] * 40}
    assert table_of(many).loc["b", "p randomisation"] == pytest.approx(1 / 10_001)


@pytest.mark.parametrize("statistic", ["difference", "ratio"])
def test_intervals_are_those_of_scipys_paired_bootstrap(statistic):
    values = paired_values(200, 0.03)

    def of(own, other, axis=-1):
        own, other = np.mean(own, axis=axis), np.mean(other, axis=axis)
        return own - other if statistic == "difference" else own / other

    expected = bootstrap(
        (values["a"], values["b"]), of, paired=True, method="percentile", n_resamples=10_000,
        vectorized=True, rng=1,
    )  # fmt: skip
    row = table_of(values).loc["b"]
    prefix = "" if statistic == "difference" else "ratio "
    found = [row[f"{prefix}low"], row[f"{prefix}high"]]
    # A percentile of 10,000 draws has a standard error of .027 of these.
    spread = 5 * math.sqrt(2) * 0.027 * expected.standard_error
    assert found == pytest.approx([*expected.confidence_interval], abs=spread)
    assert row[statistic] == pytest.approx(of(values["a"], values["b"]))


@pytest.mark.parametrize("size", [0.02, 0.1, 0.5, 1.0])
def test_the_users_needed_have_a_power_of_8_in_10_and_fewer_do_not(size):
    """Power of a two-sided paired t-test, from the noncentral t distribution."""

    def power(users):
        limit = student_t.ppf(0.975, users - 1)
        far = size * math.sqrt(users)
        return nct.sf(limit, users - 1, far) + nct.cdf(-limit, users - 1, far)

    users = users_needed(size, 1.0)
    assert power(users + 1) >= 0.8
    assert power(users - 2) < 0.8


def test_without_a_difference_no_number_of_users_sees_it():
    assert math.isnan(users_needed(0.0, 1.0))
    assert math.isnan(users_needed(math.nan, 1.0))
    assert math.isnan(table_of({"a": [0.5, 0.1], "b": [0.5, 0.1]}).loc["b", "users needed"])


def test_a_model_without_a_hit_has_no_ratio():
    row = table_of({"a": [0.5, 0.1], "b": [0.0, 0.0]}).loc["b"]
    assert row[["ratio", "ratio low", "ratio high"]].isna().all()
    assert row["low"] <= row["difference"] <= row["high"]


def test_several_metrics_share_their_draws_and_are_the_tables_of_each():
    results = three_models()
    tables = significance_tables(results, "best", [METRIC, "mrr@10"])
    assert tables[METRIC].equals(significance_table(results, "best", METRIC))
    halves = tables["mrr@10"][["low", "high"]] * 2
    assert halves.to_numpy() == pytest.approx(tables[METRIC][["low", "high"]].to_numpy(), rel=1e-4)


def test_users_of_whom_a_metric_is_undefined_are_counted():
    row = significance_table(three_models(), "best", METRIC).loc["near"]
    assert (row["users"], row["undefined"]) == (30, 1)


def test_results_with_other_ids_are_refused():
    results = {
        name: replace(result([0.5, 0.1]), user_ids=pa.array(ids))
        for name, ids in {"a": [1, 2], "b": [2, 1]}.items()
    }
    with pytest.raises(InputError, match="same users, but b and a are not"):
        significance_table(results, "a", METRIC)


def test_an_undefined_p_value_stays_so_and_does_not_count():
    assert holm(np.array([0.01, math.nan, 0.04]))[[0, 2]].tolist() == [0.02, 0.04]
    assert math.isnan(holm(np.array([0.01, math.nan]))[1])
