import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recsparse.errors import InputError
from recsparse.evaluation.nested_mean import nested_mean
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.seeds import differences_over_seeds, seeds_table


def result(values, ids=None, **others):
    per_user = {"ndcg@10": np.array(values), **others}
    ids = None if ids is None else pa.array(ids)
    return RankingResult(per_user, {}, len(values), user_ids=ids)


def two_models(ids=None):
    rng = np.random.default_rng(3)
    splits = {f"window {n}": rng.uniform(0, 1, 20) for n in range(4)}
    better = {name: result(some + rng.normal(0.1, 0.02, 20), ids) for name, some in splits.items()}
    return {"better": better, "plain": {name: result(some, ids) for name, some in splits.items()}}


def test_the_table_has_a_row_per_model_and_metric():
    table = seeds_table(two_models([*"abcdefghijklmnopqrst"]))
    assert table.index.tolist() == [("better", "ndcg@10"), ("plain", "ndcg@10")]
    assert table["users"].tolist() == [20, 20]
    assert table["splits"].tolist() == [4, 4]
    means = [each.per_user["ndcg@10"].mean() for each in two_models()["plain"].values()]
    assert table.loc[("plain", "ndcg@10"), "mean"] == pytest.approx(np.mean(means))
    assert seeds_table(two_models())["users"].tolist() == [80, 80]


def test_a_difference_is_paired_by_user_within_each_split():
    models = two_models([*"abcdefghijklmnopqrst"])
    models["same"] = models["better"]
    table = differences_over_seeds(models, "better")
    assert table.index.tolist() == [("ndcg@10", "plain"), ("ndcg@10", "same")]
    plain = table.loc[("ndcg@10", "plain")]
    assert plain["difference"] == pytest.approx(0.1, abs=0.01)
    # The users differ by 0.3 and their differences by 0.02.
    assert plain["standard error"] < 0.005
    assert plain["p"] < 1e-4
    assert table.loc[("ndcg@10", "same"), ["difference", "p"]].tolist() == [0.0, 1.0]
    single = nested_mean(
        [
            models["better"][split].per_user["ndcg@10"] - models["plain"][split].per_user["ndcg@10"]
            for split in models["plain"]
        ],
        [np.arange(20)] * 4,
    )
    assert plain["p"] == pytest.approx(2 * single.p_value())


def test_what_cannot_be_compared_is_refused():
    models = two_models([*"abcdefghijklmnopqrst"])
    with pytest.raises(InputError, match="results of 'blend', but there are"):
        differences_over_seeds(models, "blend")
    with pytest.raises(InputError, match="must have the metric 'map@10' in all splits"):
        differences_over_seeds(models, "better", ["map@10"])
    fewer = {**models, "plain": dict(list(models["plain"].items())[:2])}
    with pytest.raises(InputError, match=r"same splits, but better has .*; evaluate both on all"):
        seeds_table(fewer)
    others = two_models([*"bacdefghijklmnopqrst"])["plain"]
    with pytest.raises(InputError, match="same users, but those of plain and better in window 0"):
        differences_over_seeds({"better": models["better"], "plain": others}, "better")
    with pytest.raises(InputError, match="at least one split"):
        seeds_table({"better": {}})


def test_the_table_is_a_frame_that_parquet_takes(tmp_path):
    table = seeds_table(two_models())
    table.reset_index().to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), table.reset_index())
