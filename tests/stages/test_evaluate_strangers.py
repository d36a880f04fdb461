"""Evaluation of users and items that training, or one of the models, does not know."""

import json
import math
from dataclasses import replace

import ir_measures
import numpy as np
import pandas as pd
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG
from mlflow.tracking import MlflowClient
from scipy.sparse import csr_matrix

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages.evaluate import evaluate
from recsparse.stages.evaluate_file import evaluate_file
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train

BY_TIME = ["split.kind=global_time", "split.validation=0.15", "split.test=0.15"]
PEERS = {
    "ndcg@5": nDCG @ 5, "recall@5": R @ 5, "precision@5": P @ 5, "map@5": AP @ 5, "mrr@5": RR @ 5,
    "hit_rate@5": Success @ 5,
}  # fmt: skip


def growing_log(seed=0):
    """Users and items that come as time goes by; items are named so that new ones sort first."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(60):
        start = rng.integers(0, 100)
        for _ in range(rng.integers(3, 12)):
            time = start + rng.integers(0, 30)
            rows.append((f"u{user}", 99 - min(rng.integers(0, 30) + time // 4, 59), time))
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return frame.drop_duplicates(["user_id", "item_id"])


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, empty_store):
    """A dataset split by time, its models, and a challenger of a later log with other items."""
    folder = tmp_path_factory.mktemp("strangers")
    log = growing_log()
    log.to_parquet(folder / "log.parquet", index=False)
    # The challenger has later rows, which hold new items, and never saw the first third.
    later = log[log["timestamp"] > 35]
    foreign = pd.DataFrame({"user_id": "x", "item_id": [500, 501], "timestamp": [40, 41]})
    pd.concat([later, foreign]).to_parquet(folder / "later.parquet", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare("log.parquet", "dataset", config=load_config(None, BY_TIME))
        prepare("later.parquet", "other")
        for name, kind, dataset in (
            ("champion", "item_knn", "dataset"),
            ("popular", "popularity", "dataset"),
            ("challenger", "item_knn", "other"),
        ):
            train(dataset, name, load_config(None, [f"model.kind={kind}"]))
    return folder


def shared(jobs):
    """The rows of each part by id, and what a model knows."""
    data = load_dataset(jobs / "dataset")
    rows = {
        name: data.with_ids(getattr(data.split, name)).to_pandas()
        for name in ("train", "validation", "test")
    }
    return rows, set(rows["train"]["item_id"]), set(rows["train"]["user_id"])


def lists_to_make(jobs, wanted, include, once):
    """The user, the history and the targets of each list: new users have one for each time."""
    rows, _, trained_users = shared(jobs)
    before = pd.concat([rows["train"], rows["validation"]])
    for user, mine in rows["test"].groupby("user_id"):
        earlier, is_known = before[before["user_id"] == user], user in trained_users
        if include != "all" and is_known != (include == "known"):
            continue
        times = sorted(set(mine["timestamp"]))
        for now in times[:1] if is_known or once else times:
            known = [*earlier["item_id"], *mine[mine["timestamp"] < now]["item_id"]]
            later = mine if is_known else mine[mine["timestamp"] >= now]
            if kept := [item for item in later["item_id"] if wanted(item)]:
                yield user, known, kept


def naive(jobs, names, catalogue="all", include="all", once=False):
    """Lists by loops and sorted tuples, and metrics of ir_measures: the mean of each user."""
    _, trained_items, _ = shared(jobs)
    models = {name: load_model(jobs / name) for name in names}
    catalogues = {name: model.items.ids.to_pylist() for name, model in models.items()}
    common = set.intersection(*map(set, catalogues.values()))
    allowed = {
        "all": lambda item: True, "known": lambda item: item in trained_items,
        "common": lambda item: item in common, "new": lambda item: True,
    }[catalogue]  # fmt: skip
    wanted = (lambda item: item not in trained_items) if catalogue == "new" else allowed
    found = {name: {} for name in names}
    lists = {
        f"{user} {number}": (user, known, kept)
        for number, (user, known, kept) in enumerate(lists_to_make(jobs, wanted, include, once))
    }
    qrels = {key: {str(item): 1 for item in kept} for key, (_, _, kept) in lists.items()}
    for name, model in models.items():
        place = {item: index for index, item in enumerate(catalogues[name])}
        run = {}
        for key, (_, known, _) in lists.items():
            seen = [place[item] for item in known if item in place]
            row = np.zeros((1, len(place)), dtype=np.float32)
            row[0, seen] = 1
            scores = model.model.score_batch(csr_matrix(row))[0].tolist()
            ranked = sorted(
                (-scores[index], index)
                for item, index in place.items()
                if index not in seen and allowed(item)
            )
            items = [str(catalogues[name][index]) for _, index in ranked[:5]]
            run[key] = {item: float(-rank) for rank, item in enumerate(items)}
        values = {metric: dict.fromkeys(qrels, 0.0) for metric in PEERS}
        names_of = {peer: metric for metric, peer in PEERS.items()}
        for each in ir_measures.iter_calc(list(PEERS.values()), qrels, run):
            values[names_of[each.measure]][each.query_id] = each.value
        of_user = {key: user for key, (user, _, _) in lists.items()}
        found[name] = {
            metric: pd.Series(each).groupby(of_user).mean().to_dict()
            for metric, each in values.items()
        }
    return found, lists


def evaluated(jobs, names, *settings, out=None):
    config = load_config(None, ["evaluation.k=[5]", *settings])
    return evaluate([jobs / name for name in names], jobs / "dataset", out, config)


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
    text = (tmp_path / "report" / "report.md").read_text()
    assert "## known users" in text
    assert "## new users" in text
    assert f"| users without training rows | {found.part.unseen_users} |" in text
    assert found.part.evaluated_lists > found.part.evaluated_users
    assert f"| evaluated by {found.part.evaluated_lists} lists |" in text


def test_a_run_has_the_counts_and_the_figures_of_each_group(jobs):
    found = evaluated(jobs, ["champion", "challenger"])
    client = MlflowClient(f"sqlite:///{jobs / 'mlflow.db'}")
    run_id = read_model_description(jobs / "challenger")["training"]["run_id"]
    metrics = client.get_run(run_id).data.metrics
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
    with pytest.raises(InputError, match=r"--catalogue new, at least one item must be known to a"):
        evaluated(jobs, ["champion", "popular"], "evaluation.catalogue=new")


def test_a_part_of_which_nothing_is_left_is_refused(small_dataset, trained_folder, workplace):
    config = load_config(None, ["evaluation.include_users=new"])
    with pytest.raises(InputError, match="rows of --include-users new and --catalogue all, but"):
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


def scored_by(jobs, name):
    """All scores of a model for all test users, as a file of another system."""
    rows, _, _ = shared(jobs)
    users = sorted(set(rows["test"]["user_id"]))
    before = pd.concat([rows["train"], rows["validation"]])
    before = before[before["user_id"].isin(users)]
    model = load_model(jobs / name)
    known = before[before["item_id"].isin(set(model.items.ids.to_pylist()))]
    lists = model.recommend(
        users, k=len(model.items), history=known[["user_id", "item_id"]], on_unknown="popularity"
    )
    return lists[["user_id", "item_id", "score"]]


@pytest.mark.parametrize("catalogue", ["all", "known", "common"])
def test_the_scores_of_a_popular_model_in_a_file_give_its_metrics_of_one_list_a_user(
    jobs, tmp_path, catalogue
):
    """Of popularity, users without a history get what the model scores them, too."""
    scored_by(jobs, "popular").to_parquet(tmp_path / "scored.parquet")
    for include in ("known", "all"):
        settings = [f"evaluation.catalogue={catalogue}", f"evaluation.include_users={include}"]
        config = load_config(None, ["evaluation.k=[5]", *settings])
        found = evaluate_file(tmp_path / "scored.parquet", jobs / "dataset", config)
        expected, lists = naive(jobs, ["popular"], catalogue, include, once=True)
        for metric, values in expected["popular"].items():
            np.testing.assert_allclose(
                sorted(found.per_user[metric]), sorted(values.values()), atol=1e-9
            )
        compared = evaluated(jobs, ["popular"], *settings).results["popular"]
        assert found.part == replace(compared.part, evaluated_lists=len(lists))
        if include == "known":
            assert found.mean() == pytest.approx(compared.mean())
            assert found.coverage == pytest.approx(compared.coverage)
        else:
            assert found.groups().keys() == {"known users", "new users"}


def test_a_file_that_scores_items_without_training_rows_finds_them(jobs, tmp_path):
    rows, trained_items, _ = shared(jobs)
    test = rows["test"]
    test.assign(score=1.0)[["user_id", "item_id", "score"]].to_parquet(tmp_path / "scored.parquet")
    for catalogue, counted in (("all", test), ("new", test[~test["item_id"].isin(trained_items)])):
        config = load_config(None, [f"evaluation.catalogue={catalogue}", "evaluation.k=[20]"])
        found = evaluate_file(tmp_path / "scored.parquet", jobs / "dataset", config)
        assert found.mean()["recall@20"] == 1.0
        assert found.unknown_items == 0
        assert found.part.evaluated_rows == len(counted)


def test_items_that_nobody_knows_take_their_places_unless_the_catalogue_is_known(jobs, tmp_path):
    rows, trained_items, _ = shared(jobs)
    test = rows["test"]
    hits = test[test["item_id"].isin(trained_items)].drop_duplicates("user_id").assign(score=1.0)
    foreign = hits.assign(item_id=777, score=2.0)
    both = pd.concat([hits, foreign])[["user_id", "item_id", "score"]]
    both.to_parquet(tmp_path / "scored.parquet")
    for catalogue, best in (("all", 1 / 2), ("known", 1.0)):
        config = load_config(None, [f"evaluation.catalogue={catalogue}", "evaluation.k=[5]"])
        found = evaluate_file(tmp_path / "scored.parquet", jobs / "dataset", config)
        assert found.per_user["mrr@5"].max() == best


def test_the_command_line_chooses_items_and_users_and_shows_both_groups(jobs, capfd):
    from recsparse.cli.main import app

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(word) for word in words], prog_name="recsparse")
        assert not ended.value.code
        return capfd.readouterr().out

    models = [jobs / "champion", jobs / "challenger"]
    shown = run("evaluate", *models, jobs / "dataset")
    for text in ("known users", "new users", "users without training rows", "unknown items"):
        assert text in shown
    assert " lists" in shown
    options = ["--catalogue", "common", "--include-users", "known", "--json"]
    found = json.loads(run("evaluate", *models, jobs / "dataset", *options))
    settings = ["evaluation.catalogue=common", "evaluation.include_users=known"]
    expected = evaluated(jobs, ["champion", "challenger"], *settings, "evaluation.k=[10,20]")
    for name, result in expected.results.items():
        assert found[name]["ndcg@10"] == pytest.approx(result.mean()["ndcg@10"])
        assert found[name]["users"] == result.num_users
        assert found[name]["test part"]["unseen_users"] == expected.part.unseen_users
    scored_by(jobs, "popular").to_parquet(jobs / "scored.parquet")
    words = ["evaluate-file", jobs / "scored.parquet", jobs / "dataset"]
    alone = json.loads(run(*words, "--include-users", "new", "--catalogue", "known", "--json"))
    assert alone["users"] == alone["test part"]["evaluated_users"] > 0
    shown = run(*words)
    for text in ("known users", "new users", "users without training rows"):
        assert text in shown
