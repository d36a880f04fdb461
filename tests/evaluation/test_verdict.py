import math

import pandas as pd
import pytest

from recsparse.evaluation.verdict import verdict

ROW = {
    "difference": 0.02, "low": 0.015, "high": 0.025, "ratio": 1.044, "ratio low": 1.033,
    "ratio high": 1.055, "p": 0.0123, "p randomisation": 0.01, "users": 900, "users needed": 812,
}  # fmt: skip
NONE = {"ratio": 0.995, "ratio low": 0.97, "ratio high": 1.02, "p": 0.4, "users needed": 18_432}


@pytest.mark.parametrize(
    ("metric", "row", "said"),
    [
        ("ndcg@10", {}, "a is better than b by 4.4 % ± 1.1 in ndcg@10, p = 0.012."),
        ("ndcg@10", {"difference": -0.02, "ratio": 0.956}, "a is worse than b by 4.4 % ± 1.1 in"),
        ("user_rmse", {}, "a is worse than b by 4.4 % ± 1.1 in user_rmse"),
        ("arp@10", {}, "a is higher than b by 4.4 % ± 1.1 in arp@10"),
        ("own@10", {}, "a is better than b by 4.4 % ± 1.1 in own@10"),
        ("ndcg@10", {"p": 1e-9, "p randomisation": 1e-5}, "in ndcg@10, p < 0.0001."),
        ("ndcg@10", {"ratio low": math.nan}, "a is better than b by 0.02 ± 0.005 in ndcg@10"),
        (
            "ndcg@10", NONE,
            "No difference of a to b could be shown in ndcg@10 (-0.5 % ± 2.5, p = 0.4); to see one "
            "of this size takes about 18,000 users.",
        ),
        # One of both tests is not enough.
        ("ndcg@10", {"p randomisation": 0.06}, "No difference of a to b could be shown in ndcg@10"),
        ("ndcg@10", NONE | {"users": 12}, "p = 0.4); 12 users are too few to tell."),
        ("ndcg@10", {"users": 1}, "a and b have too few users in common to be compared in"),
    ],
)  # fmt: skip
def test_a_verdict_says_what_was_shown_and_what_was_not(metric, row, said):
    (sentence,) = verdict("a", metric, pd.DataFrame([ROW | row], index=["b"]))
    assert said in sentence


def test_each_model_has_a_sentence():
    assert len(verdict("a", "ndcg@10", pd.DataFrame([ROW] * 3, index=["b", "c", "d"]))) == 3
