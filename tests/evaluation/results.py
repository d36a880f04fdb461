"""Results of models that never were, for tests of what is told of them."""

from dataclasses import replace

import numpy as np

from recsparse.datasets.evaluated.part_counts import PartCounts
from recsparse.evaluation.ranking_result import RankingResult

METRIC = "ndcg@10"
PART = PartCounts(
    users=5, rows=9, unseen_users=2, rows_of_unseen_users=3, unseen_items=1,
    users_of_unseen_items=2, rows_of_unseen_items=4, evaluated_users=3, evaluated_rows=5,
    evaluated_lists=3, users_without_history=1, rows_of_users_without_history=2,
)  # fmt: skip


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


def counted(values, is_new):
    """A result that says what it is of."""
    return replace(
        result(values), part=PART, is_new=np.array(is_new), unknown_items=1, rows_of_unknown_items=4
    )
