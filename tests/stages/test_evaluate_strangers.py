"""Evaluation of users and items that training, or one of the models, does not know."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.errors import InputError
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from tests.stages.strangers import BY_TIME, evaluated, naive, shared


@pytest.mark.parametrize("include", ["all", "known", "new"])
@pytest.mark.parametrize("catalogue", ["all", "known", "common", "new"])
def test_models_of_other_catalogues_are_compared_as_a_loop_with_ir_measures_does(
    jobs, catalogue, include
):
    names = ["champion", "challenger"]
    expected, lists = naive(jobs, names, catalogue, include)
    # Each row once: a user's first list has all of its targets.
    targets = {}
    for user, _, kept in lists.values():
        targets.setdefault(user, kept)
    settings = [f"evaluation.catalogue={catalogue}", f"evaluation.include_users={include}"]
    found = evaluated(jobs, names, *settings)
    for name in names:
        result = found.results[name]
        assert result.num_users == len(targets) > 0
        for metric, values in expected[name].items():
            # Users come in the order of the dataset; sorted, they are alike.
            np.testing.assert_allclose(
                sorted(result.per_user[metric]), sorted(values.values()), atol=1e-9, err_msg=metric
            )
        known = set(load_model(jobs / name).items.ids.to_pylist())
        strange = [item for items in targets.values() for item in items if item not in known]
        assert result.rows_of_unknown_items == len(strange)
        assert result.unknown_items == len(set(strange))
    assert found.part.evaluated_users == len(targets)
    assert found.part.evaluated_rows == sum(map(len, targets.values()))
    assert found.part.evaluated_lists == len(lists)
    assert (len(lists) > len(targets)) == (include != "known")


def test_users_and_rows_that_training_does_not_know_are_counted(jobs, tmp_path):
    rows, trained_items, trained_users = shared(jobs)
    test = rows["test"]
    new_user = ~test["user_id"].isin(trained_users)
    new_item = ~test["item_id"].isin(trained_items)
    assert new_user.any()
    assert new_item.any()
    part = evaluated(jobs, ["popular"]).part
    assert (part.users, part.rows) == (test["user_id"].nunique(), len(test))
    assert part.unseen_users == test[new_user]["user_id"].nunique()
    assert part.rows_of_unseen_users == new_user.sum()
    assert part.unseen_items == test[new_item]["item_id"].nunique()
    assert part.users_of_unseen_items == test[new_item]["user_id"].nunique()
    assert part.rows_of_unseen_items == new_item.sum()
    assert (part.evaluated_users, part.evaluated_rows) == (part.users, part.rows)
    only_known = evaluated(jobs, ["popular"], "evaluation.catalogue=known").part
    assert only_known.evaluated_rows == len(test) - new_item.sum()


def test_known_and_new_users_have_figures_of_their_own(jobs, tmp_path):
    names = ["champion", "popular"]
    found = evaluated(jobs, names, out=tmp_path / "report")
    alone = {
        group: evaluated(jobs, names, f"evaluation.include_users={group}")
        for group in ("known", "new")
    }
    for name in names:
        for group, compared in alone.items():
            assert compared.groups == {}
            row = found.groups[f"{group} users"].loc[name]
            for column in ("users", "ndcg@5", "recall@5", "ndcg@5 ±"):
                assert row[column] == pytest.approx(compared.table.loc[name, column])
        sizes = [compared.table.loc[name, "users"] for compared in alone.values()]
        assert found.table.loc[name, "users"] == sum(sizes)
    apart = pd.read_parquet(tmp_path / "report" / "groups.parquet")
    assert apart["group"].tolist() == ["known users"] * 2 + ["new users"] * 2
    told = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [*told["groups"]] == ["known users", "new users"]
    assert told["part"]["unseen_users"] == found.part.unseen_users
    assert told["part"]["evaluated_lists"] == found.part.evaluated_lists
    assert found.part.evaluated_lists > found.part.evaluated_users
    of_users = pd.read_parquet(tmp_path / "report" / "slices.parquet")
    new = of_users[(of_users["slice"] == "new users") & (of_users["metric"] == "ndcg@5")]
    expected = found.groups["new users"]["ndcg@5"]
    assert new.set_index("model")["mean"].to_dict() == pytest.approx(expected.to_dict())


def test_a_run_has_the_counts_and_the_figures_of_each_group(jobs):
    found = evaluated(jobs, ["champion", "challenger"])
    client = MlflowClient(f"sqlite:///{jobs / 'mlflow.db'}")
    run_id = read_model_description(jobs / "challenger")["training"]["run_id"]
    run = client.get_run(run_id).data
    assert run.tags["test_catalogue"] == found.catalogue == "all"
    metrics = run.metrics
    result = found.results["challenger"]
    groups = result.groups()
    expected = {
        "test_ndcg_at_5": result.mean()["ndcg@5"],
        "test_known_users_ndcg_at_5": groups["known users"].mean()["ndcg@5"],
        "test_new_users_ndcg_at_5": groups["new users"].mean()["ndcg@5"],
        "test_users": found.part.users,
        "test_unseen_users": found.part.unseen_users,
        "test_rows_of_unseen_items": found.part.rows_of_unseen_items,
        "test_evaluated_rows": found.part.evaluated_rows,
        "test_evaluated_lists": found.part.evaluated_lists,
        "test_rows_of_unknown_items": result.rows_of_unknown_items,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_a_new_catalogue_that_no_model_knows_is_refused(jobs):
    message = (
        "--catalogue new, at least one item must be known to a model, but none of the .* by a "
        "model that reads features of items, such as text_tower, or by scores of another system"
    )
    with pytest.raises(InputError, match=message):
        evaluated(jobs, ["champion", "popular"], "evaluation.catalogue=new")


def test_a_part_of_which_nothing_is_left_is_refused(small_dataset, trained_folder, workplace):
    config = load_config(None, ["evaluation.include_users=new"])
    with pytest.raises(InputError, match="rows of --include-users new and --catalogue known, b"):
        evaluate([trained_folder / "popularity"], small_dataset, config=config)


@pytest.fixture(scope="module")
def unseen_alone(tmp_path_factory, empty_store):
    """One test user, new as is the item."""
    folder = tmp_path_factory.mktemp("unseen")
    frame = pd.DataFrame(
        {
            "user_id": [1, 1, 2, 2, 1, 3],
            "item_id": [1, 2, 1, 3, 3, 9],
            "timestamp": [1, 2, 3, 4, 5, 6],
        }
    )
    frame.to_parquet(folder / "log.parquet", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare("log.parquet", "dataset", config=load_config(None, BY_TIME))
        train("dataset", "model", load_config(None, ["model.kind=ease"]))
    return folder


def test_one_user_with_unseen_items_alone_scores_zero(unseen_alone):
    compared = evaluate([unseen_alone / "model"], unseen_alone / "dataset")
    result = compared.results["model"]
    # A miss, and no gap.
    assert result.per_user["ndcg@10"].tolist() == [0.0]
    assert result.mean()["ndcg@10"] == result.mean()["hit_rate@20"] == 0.0
    assert math.isnan(result.standard_error()["ndcg@10"])
    assert (compared.part.users, compared.part.users_without_history) == (1, 1)
    config = load_config(None, ["evaluation.catalogue=known"])
    with pytest.raises(InputError, match="of its 1 rows, 1 are of users without training rows and"):
        evaluate([unseen_alone / "model"], unseen_alone / "dataset", config=config)
