import math

import numpy as np

from recsparse.evaluation.ranking_result import RankingResult


def test_one_user_has_a_mean_but_no_standard_error():
    result = RankingResult({"recall@1": np.array([0.5, np.nan])}, {}, num_users=1)
    assert result.mean() == {"recall@1": 0.5}
    assert math.isnan(result.standard_error()["recall@1"])


def test_known_and_new_users_are_told_apart_where_there_are_both():
    values = {"recall@1": np.array([0.5, 1.0, 0.0])}
    result = RankingResult(values, {}, 3, is_new=np.array([False, True, True]))
    groups = result.groups()
    assert {name: (some.num_users, some.mean()) for name, some in groups.items()} == {
        "known users": (1, {"recall@1": 0.5}),
        "new users": (2, {"recall@1": 0.5}),
    }
    for alike in (np.ones(3, dtype=bool), np.zeros(3, dtype=bool), None):
        assert RankingResult(values, {}, 3, is_new=alike).groups() == {}


def test_the_figure_of_a_user_is_the_mean_over_the_lists_with_targets():
    values = {"recall@1": np.array([0.5, 1.0, np.nan, 0.25, np.nan])}
    lists = RankingResult(values, {"coverage@1": 0.5}, 3)
    users = lists.by_user(np.array([0, 0, 0, 1, 2]))
    np.testing.assert_array_equal(users.per_user["recall@1"], [(0.5 + 1.0) / 2, 0.25, np.nan])
    assert users.num_users == 2
    assert users.mean() == {"recall@1": ((0.5 + 1.0) / 2 + 0.25) / 2}
    assert users.coverage == lists.coverage
