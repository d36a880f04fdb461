"""Users and items that training does not know, and their lists made by loops."""

import ir_measures
import numpy as np
import pandas as pd
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy.sparse import csr_matrix

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.scoring.model_folder import load_model
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from tests.scoring.naive import naive_popularity

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


def prepared_and_trained(folder):
    """Make the dataset and its models in the current folder."""
    log = growing_log()
    log.to_parquet(folder / "log.parquet", index=False)
    # The challenger has later rows, which hold new items, and never saw the first third.
    later = log[log["timestamp"] > 35]
    foreign = pd.DataFrame({"user_id": "x", "item_id": [500, 501], "timestamp": [40, 41]})
    pd.concat([later, foreign]).to_parquet(folder / "later.parquet", index=False)
    prepare("log.parquet", "dataset", config=load_config(None, BY_TIME))
    prepare("later.parquet", "other")
    for name, kind, dataset in (
        ("champion", "item_knn", "dataset"),
        ("popular", "popularity", "dataset"),
        ("challenger", "item_knn", "other"),
    ):
        train(dataset, name, load_config(None, [f"model.kind={kind}"]))


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
    rows, trained_items, _ = shared(jobs)
    new = set(rows["test"]["item_id"]) - trained_items
    models = {name: load_model(jobs / name) for name in names}
    catalogues = {name: model.items.ids.to_pylist() for name, model in models.items()}
    common = set.intersection(*map(set, catalogues.values()))
    allowed = {
        "all": lambda item: True, "known": lambda item: item in trained_items,
        "common": lambda item: item in common, "new": lambda item: item in new,
    }[catalogue]  # fmt: skip
    found = {name: {} for name in names}
    lists = {
        f"{user} {number}": (user, known, kept)
        for number, (user, known, kept) in enumerate(lists_to_make(jobs, allowed, include, once))
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
            if len({*scores}) == 1 and not seen:
                scores = [*naive_popularity(model).values()]
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
    config = load_config(None, ["evaluation.metrics=['all@5']", *settings])
    return evaluate([jobs / name for name in names], jobs / "dataset", out, config)


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
