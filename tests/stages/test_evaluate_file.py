import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config_file import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError, SchemaError
from recsparse.stages.evaluate import evaluate
from recsparse.stages.evaluate_file import evaluate_file
from recsparse.stages.score import RecommendOptions, recommend


@pytest.fixture
def held_out(small_dataset):
    data = load_dataset(small_dataset)
    return data.with_ids(data.split.test).to_pandas()[["user_id", "item_id"]]


def written(folder, frame):
    frame.to_parquet(folder / "scored.parquet", index=False)
    return folder / "scored.parquet"


def test_scores_of_all_items_give_the_metrics_of_the_model(
    trained_folder, small_dataset, small_log, workplace
):
    model, log = trained_folder / "sparse_grid", pq.read_table(small_log / "log.parquet")
    data = load_dataset(small_dataset)
    before = data.with_ids(pa.concat_tables([data.split.train, data.split.validation]))
    pq.write_table(before, "before.parquet")
    recommend(model, "scored.parquet", RecommendOptions(k=20, history="before.parquet"))
    scored = pd.read_parquet("scored.parquet").sample(frac=1.0, random_state=0)
    assert len(scored) < 40 * 20 - len(log) / 2
    expected = evaluate([model], small_dataset).results["sparse_grid"].mean()
    for size in (1, 7, 1024):
        config = load_config(None, [f"evaluation.batch_users={size}"])
        found = evaluate_file(written(workplace, scored), small_dataset, config).mean()
        assert found == pytest.approx(expected)


def test_the_held_out_themselves_are_a_perfect_ranking(held_out, small_dataset, tmp_path):
    scored = held_out.assign(score=1)
    result = evaluate_file(written(tmp_path, scored), small_dataset)
    assert result.mean()["recall@20"] == 1.0
    assert result.num_users == held_out["user_id"].nunique()


def test_users_without_a_row_in_the_file_count_as_zero(held_out, small_dataset, tmp_path):
    one = held_out[held_out["user_id"] == held_out["user_id"].iloc[0]].assign(score=0.5)
    mean = evaluate_file(written(tmp_path, one), small_dataset).mean()
    assert mean["recall@20"] == pytest.approx(1 / held_out["user_id"].nunique())


def test_unknown_ids_and_missing_scores_do_not_count(held_out, small_dataset, tmp_path):
    scored = held_out.assign(score=1.0)
    scored.loc[0, "score"] = None
    scored.loc[len(scored)] = [999, 999, 5.0]
    found = evaluate_file(written(tmp_path, scored), small_dataset).per_user["recall@20"]
    in_users_row = (held_out["user_id"] == held_out["user_id"].iloc[0]).sum()
    assert sorted(found)[0] == 1 - 1 / in_users_row
    assert sorted(found)[1] == 1.0


def test_of_several_scores_of_a_pair_the_last_one_counts(held_out, small_dataset, tmp_path):
    user = held_out["user_id"].iloc[0]
    data = load_dataset(small_dataset)
    parts = pa.concat_tables([data.split.train, data.split.validation])
    before = data.with_ids(parts).to_pandas()
    seen = set(before[before["user_id"] == user]["item_id"])
    wanted = set(held_out[held_out["user_id"] == user]["item_id"])
    other = min(set(range(20)) - seen - wanted)
    target = min(wanted)
    rows = [(user, target, 1.0), (user, other, 2.0), (user, target, 3.0)]
    config = load_config(None, ["evaluation.k=[1]"])
    for order, expected in ((rows, 1.0), (rows[::-1], 0.0)):
        scored = pd.DataFrame(order, columns=["user_id", "item_id", "score"])
        found = evaluate_file(written(tmp_path, scored), small_dataset, config)
        assert sum(found.per_user["hit_rate@1"]) == expected


@pytest.mark.parametrize("column", ["user_id", "item_id", "score"])
def test_a_missing_column_is_told(held_out, small_dataset, tmp_path, column):
    scored = held_out.assign(score=1.0).drop(columns=column)
    with pytest.raises(SchemaError, match=f"must have the column '{column}'"):
        evaluate_file(written(tmp_path, scored), small_dataset)


def test_scores_that_are_text_are_refused(held_out, small_dataset, tmp_path):
    scored = held_out.assign(score="high")
    with pytest.raises(SchemaError, match=r"'score' of .*scored\.parquet must hold numbers"):
        evaluate_file(written(tmp_path, scored), small_dataset)


def test_a_file_about_others_is_refused(small_dataset, tmp_path):
    scored = pd.DataFrame({"user_id": [999, 0], "item_id": [0, 999], "score": [1.0, 1.0]})
    with pytest.raises(InputError, match="but none of its 2 rows does"):
        evaluate_file(written(tmp_path, scored), small_dataset)
