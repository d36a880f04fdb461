from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_rel

from recsparse.config.evaluation import EvaluationConfig
from recsparse.config.promotion import PromotionConfig
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError
from recsparse.evaluation.promotion_check import one_sided_p
from recsparse.evaluation.promotion_rule import promotion_checks
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.slices_of_part import SlicedPart
from recsparse.stages.compared_part import part_to_compare

METRIC = "ndcg@10"


def result(values, coverage=0.5, **more):
    per_user = {METRIC: np.asarray(values, dtype=float), **more}
    return RankingResult(per_user, {"coverage@10": coverage}, int((~np.isnan(values)).sum()))


def is_promoted(candidate, champion, **rule):
    checks = promotion_checks(result(candidate), result(champion), PromotionConfig(**rule))
    return all(check.passed for check in checks)


def hits(rng, num_users, chance_factor=1.0):
    """nDCG of two models that find mostly the same: most users have no hit, as in real tests.

    A model of the factor 0.9 has a tenth of its hits taken away, and so nine tenths of the mean.
    """
    chance = rng.beta(0.5, 2.0, num_users)
    shared = rng.random(num_users)

    def model(factor):
        luck = np.where(rng.random(num_users) < 0.7, shared, rng.random(num_users))
        found = (luck < chance) / np.log2(1 + rng.integers(1, 11, num_users))
        return found * (rng.random(num_users) < factor)

    return model(chance_factor), model(1.0)


def rate(draws, num_users, candidate=1.0, champion=1.0, **rule):
    rng, promoted = np.random.default_rng(7), 0
    for _ in range(draws):
        ours, theirs = hits(rng, num_users, candidate)
        theirs = theirs * (rng.random(num_users) < champion)
        promoted += is_promoted(ours, theirs, **rule)
    return promoted / draws


# Of a share p of 2,000 draws, the standard error is at most 0.0067 at p = 0.1.
DRAWS = 2_000


@pytest.mark.parametrize("p", [0.1, 0.05, 0.01])
def test_an_equal_model_is_called_better_as_often_as_p_says(p):
    error = np.sqrt(p * (1 - p) / DRAWS)
    assert rate(DRAWS, 400, p=p) == pytest.approx(p, abs=3.5 * error)


@pytest.mark.parametrize("p", [0.1, 0.05])
def test_a_model_at_the_margin_is_promoted_as_often_as_p_says(p):
    error = np.sqrt(p * (1 - p) / DRAWS)
    # 0.9 of the champion's mean, and a tenth may be lost.
    just_worse = rate(DRAWS, 400, candidate=0.9, rule="not_worse", margin=0.1, p=p)
    assert just_worse == pytest.approx(p, abs=3.5 * error)
    # The champion has 0.8 of the candidate's mean, and a quarter more is asked for.
    just_better = rate(DRAWS, 400, champion=0.8, margin=0.25, p=p)
    assert just_better == pytest.approx(p, abs=3.5 * error)


def test_a_better_model_is_found_and_a_worse_one_is_not_promoted():
    assert rate(300, 2_000, champion=0.7) > 0.95
    assert rate(300, 2_000, candidate=0.7) == 0
    assert rate(300, 2_000, candidate=0.7, rule="not_worse", margin=0.05) == 0
    assert rate(300, 2_000, rule="not_worse", margin=0.25) > 0.95


def test_the_test_is_the_paired_one_of_scipy():
    ours, theirs = hits(np.random.default_rng(0), 300)
    (check,) = promotion_checks(result(ours), result(theirs), PromotionConfig())
    assert check.p == pytest.approx(ttest_rel(ours, theirs, alternative="greater").pvalue)
    rule = PromotionConfig(rule="not_worse", margin=0.1)
    (check,) = promotion_checks(result(ours), result(theirs), rule)
    expected = ttest_rel(ours, 0.9 * theirs, alternative="greater").pvalue
    assert check.p == pytest.approx(expected)
    assert (check.candidate, check.champion) == (ours.mean(), theirs.mean())


@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=20))
def test_the_p_value_is_a_chance_and_that_of_scipy_where_values_differ(values):
    values = np.array(values)
    found = one_sided_p(values)
    assert 0 <= found <= 1
    if values.std() > 1e-6:
        assert found == pytest.approx(ttest_1samp(values, 0, alternative="greater").pvalue)


def test_the_same_lists_are_not_better_but_not_worse():
    values = hits(np.random.default_rng(1), 300)[0]
    assert not is_promoted(values, values)
    assert is_promoted(values, values, rule="not_worse", margin=0.01)
    zeros = np.zeros(300)
    assert not is_promoted(zeros, zeros)
    assert not is_promoted(zeros, zeros, rule="not_worse", margin=0.01)


def test_a_gain_below_the_margin_is_not_enough():
    rng = np.random.default_rng(2)
    theirs = rng.random(1_000)
    ours = theirs * 1.05 + rng.normal(0, 0.01, 1_000)
    assert is_promoted(ours, theirs, margin=0.04)
    assert not is_promoted(ours, theirs, margin=0.06)


@pytest.mark.parametrize("num_users", [0, 1, 12, 99])
def test_too_few_users_tell_nothing_however_clear_they_are(num_users):
    checks = promotion_checks(
        result(np.ones(num_users)), result(np.zeros(num_users)), PromotionConfig()
    )
    (check,) = checks
    assert (check.kind, check.passed, check.p) == ("users", False, None)
    assert check.reason.startswith(f"{num_users} users with test rows are too few to tell, at ")


def test_users_without_targets_count_as_no_users():
    ours, theirs = np.ones(120), np.zeros(120)
    ours[:30] = theirs[:30] = np.nan
    (check,) = promotion_checks(result(ours), result(theirs), PromotionConfig())
    assert check.reason.startswith("90 users")
    assert is_promoted(np.r_[ours, ours], np.r_[theirs, theirs])


def test_a_guard_stops_a_better_model():
    theirs = np.random.default_rng(3).random(200)
    rule = PromotionConfig(guards={"coverage@10": 0.1})
    # 0.45 is 0.5 less its tenth.
    for coverage, passes in ((0.46, True), (0.44, False), (0.9, True)):
        _, guard = promotion_checks(result(theirs + 0.1, coverage), result(theirs), rule)
        assert (guard.kind, guard.metric, guard.passed) == ("guard", "coverage@10", passes)
        assert (guard.candidate, guard.champion, guard.p) == (coverage, 0.5, None)


def test_a_guard_of_what_is_the_better_the_lower_stops_a_model_that_raises_it():
    theirs = np.full(200, 0.5)
    rule = PromotionConfig(guards={"gini@10": 0.1})
    for gini, passes in ((0.3, True), (0.55, True), (0.56, False)):
        ours = replace(result(theirs + 0.1), coverage={"gini@10": gini})
        champion = replace(result(theirs), coverage={"gini@10": 0.5})
        _, guard = promotion_checks(ours, champion, rule)
        assert guard.passed == passes
    assert guard.reason == "gini@10 0.56 is more than 10 % above 0.5"


def test_a_guard_may_be_of_a_group_of_users():
    values = np.random.default_rng(4).random(200)
    is_new = np.arange(200) < 50
    worse_for_new = np.where(is_new, values * 0.5, values + 0.2)
    ours, theirs = (
        RankingResult({METRIC: each}, {}, 200, is_new=is_new) for each in (worse_for_new, values)
    )
    rule = PromotionConfig(guards={"new_users_ndcg@10": 0.2, "known_users_ndcg@10": 0})
    better, of_new, of_known = promotion_checks(ours, theirs, rule)
    assert (better.passed, of_new.passed, of_known.passed) == (True, False, True)
    assert of_new.candidate == pytest.approx(values[:50].mean() * 0.5)


def test_a_guard_of_no_figure_names_the_nearest():
    values = np.ones(100)
    rule = PromotionConfig(guards={"coverage@1": 0})
    with pytest.raises(InputError, match=r"'coverage@1' is none; the nearest .* 'coverage@10'"):
        promotion_checks(result(values), result(values), rule)


def test_a_metric_that_was_not_measured_names_the_nearest():
    rule = PromotionConfig(metric="ndcg@5")
    with pytest.raises(InputError, match="'ndcg@5' is not; the nearest known is 'ndcg@10'"):
        promotion_checks(result(np.ones(100)), result(np.ones(100)), rule)


@pytest.mark.parametrize("other", [np.ones(101), np.r_[np.nan, np.ones(99)]])
def test_figures_of_other_users_are_never_compared(other):
    with pytest.raises(InputError, match="must be measured on the same users, but are on 100 and"):
        promotion_checks(result(np.ones(100)), result(other), PromotionConfig())


@pytest.fixture(scope="module")
def sliced(small_dataset):
    """The test part of a small dataset: 40 users, with slices of users and of items."""
    data = load_dataset(small_dataset)
    options = EvaluationConfig(slices=("history", "popularity"))
    part = part_to_compare(data, "test", options, [data.items]).part
    return SlicedPart.of(data, "test", part, options)


def of_part(sliced, per_user, lists):
    """A result with lists of the items of the part."""
    return RankingResult(
        {METRIC: per_user}, {}, len(per_user), recommended=lists,
        list_user=np.arange(len(per_user)), item_ids=sliced.part.items.ids,
    )  # fmt: skip


def test_a_slice_that_falls_stops_a_model_that_is_better_on_the_whole(sliced):
    """By history: the users of one slice lose half, all others gain."""
    rng, of_history = np.random.default_rng(0), [s for s in sliced.slices if s.group == "history"]
    hurt = max(of_history, key=lambda some: some.users.sum())
    theirs = 0.5 + 0.1 * rng.random(len(hurt.users))
    ours = np.where(hurt.users, theirs - 0.05, theirs + 0.3) + rng.normal(0, 0.01, len(theirs))
    lists = np.zeros((len(theirs), 10), dtype=np.int64) - 1
    both = of_part(sliced, ours, lists), of_part(sliced, theirs, lists)
    rule = PromotionConfig(rule="not_worse", margin=0.5, min_users=5, slices=("history",))
    first, *slices = promotion_checks(*both, rule, sliced)
    assert first.passed
    assert {check.kind for check in slices} == {"slice"}
    fallen = [check for check in slices if not check.passed]
    assert [check.metric for check in fallen] == [f"ndcg@10 of {hurt.name}"]
    large = [some.users.sum() for some in of_history if some.users.sum() >= 5]
    p = ttest_rel(theirs[hurt.users], ours[hurt.users], alternative="greater").pvalue
    # Holm's: the smallest counts as often as there are slices.
    assert fallen[0].p == pytest.approx(min(1, p * len(large)))
    allowed = rule.model_copy(update={"slices_may_fall": 0.3})
    assert all(check.passed for check in promotion_checks(*both, allowed, sliced))
    none_named = rule.model_copy(update={"slices": ()})
    assert len(promotion_checks(*both, none_named, sliced)) == 1


def test_equal_models_are_stopped_by_a_slice_as_often_as_p_says_at_most(sliced):
    rng, stopped, draws = np.random.default_rng(1), 0, 400
    lists = np.zeros((len(sliced.part.user_ids), 10), dtype=np.int64) - 1
    rule = PromotionConfig(rule="not_worse", margin=0.9, min_users=5, slices=("history",), p=0.1)
    for _ in range(draws):
        both = (of_part(sliced, rng.normal(5, 1, len(lists)), lists) for _ in range(2))
        stopped += not all(check.passed for check in promotion_checks(*both, rule, sliced))
    assert stopped / draws <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / draws)


def test_a_slice_of_items_compares_the_lists_with_its_targets_alone(sliced):
    """The champion lists what each user wanted, the candidate nothing."""
    targets = sliced.part.target_rows.tolil().rows
    lists = np.full((len(targets), 10), -1)
    for row, items in zip(lists, targets, strict=True):
        row[: len(items[:10])] = items[:10]
    same = np.random.default_rng(2).random(len(targets)) + 1
    ours, theirs = (of_part(sliced, same, each) for each in (np.full_like(lists, -1), lists))
    rule = PromotionConfig(rule="not_worse", margin=0.5, min_users=3, slices=("popularity",))
    _, *slices = promotion_checks(ours, theirs, rule, sliced)
    assert slices
    for check in slices:
        assert (check.candidate, check.champion, check.passed) == (0, 1, False)
    name = slices[0].metric.removeprefix("ndcg@10 of ").replace(" ", "_")
    guarded = PromotionConfig(min_users=3, guards={f"{name}_ndcg@10": 0.5})
    _, guard = promotion_checks(ours, theirs, guarded, sliced)
    assert (guard.candidate, guard.champion, guard.passed) == (0, 1, False)
