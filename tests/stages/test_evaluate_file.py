from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
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


def test_of_several_scores_of_a_pair_the_last_one_counts(held_out, small_dataset, tmp_path, caplog):
    user = held_out["user_id"].iloc[0]
    data = load_dataset(small_dataset)
    parts = pa.concat_tables([data.split.train, data.split.validation])
    before = data.with_ids(parts).to_pandas()
    seen = set(before[before["user_id"] == user]["item_id"])
    wanted = set(held_out[held_out["user_id"] == user]["item_id"])
    other = min(set(range(20)) - seen - wanted)
    target = min(wanted)
    rows = [(user, target, 1.0), (user, other, 2.0), (user, target, 3.0)]
    config = load_config(None, ["evaluation.metrics=['all@1']"])
    for order, expected in ((rows, 1.0), (rows[::-1], 0.0)):
        scored = pd.DataFrame(order, columns=["user_id", "item_id", "score"])
        found = evaluate_file(written(tmp_path, scored), small_dataset, config)
        assert sum(found.per_user["hit_rate@1"]) == expected
        assert "scores 1 pairs of a user and an item again; the last score" in caplog.text
        caplog.clear()


def perfect_ranking(dataset):
    """Whole numbers that rank the targets of each test user before all other items, no two alike.

    Of the targets, and of the others, the last one of the catalogue ranks first.
    """
    data = load_dataset(dataset)
    part, items = data.evaluation_part("test"), data.items.ids.to_pylist()
    place = np.arange(len(items)) + 1000 * (part.targets.toarray() > 0)
    return pd.DataFrame(
        {
            "user_id": np.repeat(part.user_ids.to_numpy(), len(items)),
            "item_id": np.tile(items, len(part.user_ids)),
            "score": place.ravel(),
        }
    )


def decimals(kind, step):
    """Decimals of a type, so far from each other as `step` says."""
    return lambda place: pa.array([Decimal(step) * each for each in place.tolist()], kind)


SCORES = {
    "int64 microseconds": lambda place: 1_700_000_000_000_000 + place,
    "int64 beyond 2**53": lambda place: 2**62 + place,
    "negative int64": lambda place: place + np.iinfo(np.int64).min,
    "uint64 beyond 2**63": lambda place: place.astype(np.uint64) + np.uint64(2**63),
    "int16": lambda place: place.astype(np.int16),
    "probabilities near 1": lambda place: 1 - 1e-12 * (2000 - place),
    "beyond single precision": lambda place: 1e39 + 1e35 * place,
    "far below single precision": lambda place: -1e40 + 1e36 * place,
    "too small for single precision": lambda place: 1e-60 * (1 + place),
    "float32": lambda place: place.astype(np.float32),
    "float16": lambda place: (place / 2048).astype(np.float16),
    "decimal128": decimals(pa.decimal128(38, 30), "1e-30"),
    "decimal256": decimals(pa.decimal256(76, 60), "1e-60"),
    "decimal64": decimals(pa.decimal64(18, 10), "1e-10"),
    "decimal32": decimals(pa.decimal32(9, 5), "1e-5"),
    "dictionary of float64": lambda place: pa.array(1 + 1e-12 * place).dictionary_encode(),
}


@pytest.mark.parametrize("kind", SCORES)
def test_scores_of_every_type_rank_as_exactly_as_the_file_has_them(small_dataset, tmp_path, kind):
    ranking = perfect_ranking(small_dataset)
    score = pa.array(SCORES[kind](ranking["score"].to_numpy()))
    table = pa.Table.from_pandas(ranking, preserve_index=False).set_column(2, "score", score)
    pq.write_table(table, tmp_path / "scored.parquet")
    found = evaluate_file(tmp_path / "scored.parquet", small_dataset)
    assert found.mean()["ndcg@10"] == pytest.approx(1.0, abs=1e-12)
    assert found.mean()["mrr@10"] == 1.0


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.int64, "decimal"])
def test_equal_scores_rank_in_the_order_of_the_catalogue(small_dataset, tmp_path, kind):
    ranking = perfect_ranking(small_dataset).sample(frac=1.0, random_state=0)
    ones = np.ones(len(ranking), dtype=np.int64 if kind == "decimal" else kind)
    equal = decimals(pa.decimal128(20, 3), "1")(ones) if kind == "decimal" else ones
    table = pa.Table.from_pandas(ranking, preserve_index=False).set_column(2, "score", [equal])
    pq.write_table(table, tmp_path / "scored.parquet")
    found = evaluate_file(tmp_path / "scored.parquet", small_dataset)
    part = load_dataset(small_dataset).evaluation_part("test")
    unseen = part.history.toarray() == 0
    rank = unseen.cumsum(axis=1)
    hit = (part.targets.toarray() > 0) & unseen
    best = np.where(hit, rank, 10**6).min(axis=1)
    np.testing.assert_allclose(found.per_user["mrr@20"], np.where(best <= 20, 1 / best, 0))


def test_minus_infinity_is_no_score_and_infinity_ranks_first(held_out, small_dataset, tmp_path):
    ranking = perfect_ranking(small_dataset).astype({"score": float})
    wanted = ranking["score"] >= 1000
    for values, recall in (((np.inf, 1e308), 1.0), ((-np.inf, np.nan), 0.0), ((-0.0, -1.0), 1.0)):
        ranking["score"] = np.where(wanted, *values)
        mean = evaluate_file(written(tmp_path, ranking), small_dataset).mean()
        assert mean["recall@20"] == recall
        assert mean["mrr@10"] == recall


@pytest.mark.parametrize("column", ["user_id", "item_id", "score"])
def test_a_missing_column_is_told(held_out, small_dataset, tmp_path, column):
    scored = held_out.assign(score=1.0).drop(columns=column)
    with pytest.raises(SchemaError, match=f"must have the column '{column}'"):
        evaluate_file(written(tmp_path, scored), small_dataset)


def test_scores_that_are_text_are_refused(held_out, small_dataset, tmp_path):
    scored = held_out.assign(score="high")
    with pytest.raises(SchemaError, match=r"'score' of .*scored\.parquet must hold numbers"):
        evaluate_file(written(tmp_path, scored), small_dataset)


def test_ids_of_another_type_are_refused(held_out, small_dataset, tmp_path):
    scored = held_out.assign(score=1.0)
    for column, message in (
        ("item_id", "dataset's type, int64, but is string"),
        ("user_id", "cast"),
    ):
        other = scored.astype({column: str})
        with pytest.raises(InputError, match=message):
            evaluate_file(written(tmp_path, other), small_dataset)
        # As pandas has integers of which one is missing.
        fractions = scored.astype({column: float})
        message = rf"{column} of .*scored\.parquet must hold integers or strings, but holds double"
        with pytest.raises(InputError, match=message):
            evaluate_file(written(tmp_path, fractions), small_dataset)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float16(), pa.decimal128(25, 2)])
def test_null_is_no_score_whatever_the_type(held_out, small_dataset, tmp_path, kind):
    table = pa.Table.from_pandas(held_out, preserve_index=False)
    half = [None if number % 2 else 1 for number in range(len(held_out))]
    for scores, hits in ((half, half.count(1)), ([None] * len(half), 0)):
        written_to = tmp_path / "scored.parquet"
        pq.write_table(table.append_column("score", pa.array(scores).cast(kind)), written_to)
        found = evaluate_file(written_to, small_dataset)
        lists = load_dataset(small_dataset).evaluation_part("test").targets.getnnz(axis=1)
        assert sum(found.per_user["recall@20"] * lists) == pytest.approx(hits)


def test_a_file_about_others_is_refused(small_dataset, tmp_path):
    scored = pd.DataFrame({"user_id": [999, 0], "item_id": [0, 999], "score": [1.0, 1.0]})
    with pytest.raises(InputError, match="but none of its 2 rows does"):
        evaluate_file(written(tmp_path, scored), small_dataset)
