"""Files of other systems as scores, ranks and lists, several at once."""

import json
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError, OutputError, SchemaError
from recsparse.evaluation.significance import significance_table
from recsparse.stages.evaluate_file import evaluate_file, evaluate_files


@pytest.fixture
def scored(small_dataset):
    """Random scores of all test users and items, half of what is held out in front."""
    data, rng = load_dataset(small_dataset), np.random.default_rng(0)
    test = data.with_ids(data.split.test).to_pandas()[["user_id", "item_id"]]
    pairs = pd.MultiIndex.from_product(
        [test["user_id"].unique(), data.items.ids.to_pylist()], names=["user_id", "item_id"]
    )
    frame = pd.DataFrame({"score": rng.random(len(pairs))}, index=pairs)
    frame.loc[pd.MultiIndex.from_frame(test[::2]), "score"] += 1
    return frame.reset_index()


def as_ranks(scored):
    ordered = scored.sort_values(["user_id", "score"], ascending=[True, False])
    return ordered.assign(rank=ordered.groupby("user_id").cumcount() + 1).drop(columns="score")


def as_lists(scored, name="items"):
    lists = as_ranks(scored).groupby("user_id")["item_id"].agg(list)
    return lists.rename(name).reset_index()


def test_scores_ranks_and_lists_of_one_system_have_the_same_figures(scored, small_dataset):
    expected = evaluate_file(scored, small_dataset)
    kinds = {
        "ranks": as_ranks(scored),
        "lists": as_lists(scored),
        "ids": as_lists(scored, "item_id"),
    }
    for frame in kinds.values():
        found = evaluate_file(frame.sample(frac=1, random_state=0), small_dataset)
        np.testing.assert_equal(found.per_user, expected.per_user)
    by_scores = as_ranks(scored).assign(score=1.0).merge(scored, on=["user_id", "item_id"])
    both = by_scores.rename(columns={"score_y": "score"}).assign(rank=1)
    np.testing.assert_equal(evaluate_file(both, small_dataset).per_user, expected.per_user)


def test_lists_that_leave_the_test_items_out_are_told(scored, small_dataset, caplog):
    data = load_dataset(small_dataset)
    test = data.with_ids(data.split.test).to_pandas()[["user_id", "item_id"]]
    kept = scored.merge(test, how="left", indicator=True)
    kept = kept[kept.pop("_merge") == "left_only"]
    evaluate_file(scored, small_dataset)
    assert not caplog.messages
    assert evaluate_file(kept, small_dataset).mean()["ndcg@10"] == 0
    assert "holds a test item of its user" in caplog.text
    assert "--history-parts train,validation" in caplog.text


def test_files_stand_side_by_side_with_significance_slices_and_a_report(
    scored, small_dataset, tmp_path
):
    worse = scored.assign(score=np.random.default_rng(1).random(len(scored)))
    scored.to_parquet(tmp_path / "ours.parquet")
    as_lists(worse).to_parquet(tmp_path / "theirs.parquet")
    files = [tmp_path / "ours.parquet", tmp_path / "theirs.parquet"]
    compared = evaluate_files(files, small_dataset, tmp_path / "report")
    assert list(compared.results) == ["ours", "theirs"]
    expected = evaluate_file(scored, small_dataset)
    np.testing.assert_equal(compared.results["ours"].per_user, expected.per_user)
    table = compared.significance["ndcg@10"]
    pd.testing.assert_frame_equal(table, significance_table(compared.results, "ours", "ndcg@10"))
    assert compared.verdict[0].startswith("ours is better than theirs by ")
    assert {"history", "popularity"} <= {*compared.slices["group"]}
    told = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert told["verdict"] == compared.verdict
    ids = pd.read_parquet(tmp_path / "report" / "metrics.parquet")["user_id"]
    assert {*ids} == {*scored["user_id"]}
    assert evaluate_files({"b": worse, "a": scored}, small_dataset).reference == "b"


def test_a_report_is_never_written_over_a_file_that_is_read(scored, small_dataset, tmp_path):
    scored.to_parquet(tmp_path / "ours.parquet")
    with pytest.raises(OutputError):
        evaluate_files([tmp_path / "ours.parquet"], small_dataset, tmp_path / "ours.parquet")
    assert len(pd.read_parquet(tmp_path / "ours.parquet")) == len(scored)


def test_files_of_other_users_are_refused_or_compared_as_the_setting_says(scored, small_dataset):
    users = scored["user_id"].unique()
    some = scored[scored["user_id"].isin(users[3:])]
    both = {"all": scored, "some": some}
    message = rf"all has {len(users)}, some has {len(users) - 3}; .* {users[0]}, whom some lacks"
    with pytest.raises(InputError, match=message):
        evaluate_files(both, small_dataset)
    by_kind = {
        kind: evaluate_files(
            both, small_dataset, config=load_config(None, [f"evaluation.missing_users={kind}"])
        )
        for kind in ("zero", "common")
    }
    zero = by_kind["zero"].results["some"]
    of_missing = np.isin(zero.user_ids.to_pylist(), users[:3])
    assert (zero.per_user["ndcg@10"][of_missing] == 0).all()
    assert len(zero.user_ids) == len(users)
    common = by_kind["common"]
    assert {*common.results["all"].user_ids.to_pylist()} == {*users[3:]}
    assert common.part.evaluated_users == len(users) - 3
    of_all = evaluate_file(scored, small_dataset).per_user["ndcg@10"]
    np.testing.assert_array_equal(common.results["all"].per_user["ndcg@10"], of_all[~of_missing])
    first, rest = (scored[scored["user_id"].isin(each)] for each in (users[:3], users[3:]))
    message = rf"test user in common, but of {len(users)}, a has 3, b has {len(users) - 3}"
    config = load_config(None, ["evaluation.missing_users=common"])
    with pytest.raises(InputError, match=message):
        evaluate_files({"a": first, "b": rest}, small_dataset, config=config)
    # Users that no file has are alike for all.
    alike = evaluate_files({"a": some, "b": some}, small_dataset)
    assert alike.table.loc["a", "users"] == len(users)


@pytest.mark.parametrize("kind", ["ranks", "lists"])
def test_an_item_twice_in_a_list_is_refused_by_its_name(scored, small_dataset, kind):
    user, item = scored.loc[0, ["user_id", "item_id"]].astype(int)
    if kind == "ranks":
        ranks = as_ranks(scored)
        frame = pd.concat([ranks, ranks[(ranks["user_id"] == user) & (ranks["item_id"] == item)]])
    else:
        frame = as_lists(scored)
        frame.loc[frame["user_id"] == user, "items"].iloc[0].append(item)
    with pytest.raises(InputError, match=f"once, but .* is item {item} of user {user}, 2 times"):
        evaluate_file(frame, small_dataset)


def test_two_lists_of_one_user_are_refused(scored, small_dataset):
    lists = as_lists(scored)
    message = f"one list for each user, but user {lists['user_id'][0]} has several"
    with pytest.raises(InputError, match=message):
        evaluate_file(pd.concat([lists, lists[:1]]), small_dataset)


def test_nan_scores_are_no_scores_and_are_told(scored, small_dataset, tmp_path, caplog):
    column = pa.array([np.nan, None, *scored["score"][2:]])
    ids = {name: scored[name] for name in ("user_id", "item_id")}
    pq.write_table(pa.table({**ids, "score": column}), tmp_path / "scored.parquet")
    with caplog.at_level(logging.WARNING):
        found = evaluate_file(tmp_path / "scored.parquet", small_dataset)
    np.testing.assert_equal(found.per_user, evaluate_file(scored[2:], small_dataset).per_user)
    (message,) = [record.message for record in caplog.records if "NaN" in record.message]
    assert message.startswith(f"of {len(scored)} scores of ")
    assert message.endswith("1 are NaN, which is no score")


def test_a_file_without_any_score_is_told(scored, small_dataset, caplog):
    with caplog.at_level(logging.WARNING):
        found = evaluate_file(scored.assign(score=np.nan), small_dataset)
    assert not found.per_user["recall@20"].any()
    told = [record.message for record in caplog.records if record.message.startswith("none of")]
    assert len(told) == 1
    assert "is a number, so that nobody has a list" in told[0]


def test_ranks_that_are_no_numbers_are_refused(scored, small_dataset):
    with pytest.raises(SchemaError, match=r"'rank' of .* must hold numbers"):
        evaluate_file(as_ranks(scored).assign(rank="first"), small_dataset)


def test_an_empty_list_is_nobodys_and_lists_may_hold_text_ids_of_numbers(scored, small_dataset):
    lists = as_lists(scored)
    expected = evaluate_file(lists, small_dataset).per_user["recall@20"]
    lists["items"] = [[], *lists["items"][1:]]
    texts = lists.assign(items=[list(map(str, each)) for each in lists["items"]])
    for frame in (lists, texts):
        found = evaluate_file(frame, small_dataset).per_user["recall@20"]
        np.testing.assert_array_equal(found[1:], expected[1:])
        assert found[0] == 0
