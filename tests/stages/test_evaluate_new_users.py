"""Users whose first rows are those of a test file: their lists, as a loop makes them."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.scoring.model_folder import load_model
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from tests.scoring.naive import naive_popularity

ITEMS = 12


def log_of(users, first, last, per_user, seed):
    """Rows of some users from one time on and before another, no item twice, few distinct times."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, int(item), int(time), int(rating))
        for user in users
        for item, time, rating in zip(
            rng.permutation(ITEMS)[:per_user], rng.integers(first, last, per_user),
            rng.integers(1, 6, per_user), strict=True,
        )
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "rating"])


@pytest.fixture(scope="module")
def files(tmp_path_factory, empty_store):
    """Training by users 0 to 19; later files of users 15 to 39, some of them in both.

    Validation rows of a user are of even items and test rows of odd ones, so that none is twice.
    """
    folder = tmp_path_factory.mktemp("files")
    train_rows = log_of(range(20), 0, 50, 6, seed=0)
    validation = log_of(range(15, 30), 50, 60, 5, seed=1)
    test = log_of(range(15, 40), 60, 64, 6, seed=2)
    taken = train_rows[["user_id", "item_id"]].assign(taken=True)
    for name, rows, odd in (("validation", validation, 0), ("test", test, 1)):
        rows = rows.merge(taken, how="left")
        rows = rows[rows["taken"].isna() & (rows["item_id"] % 2 == odd)].drop(columns="taken")
        rows.to_parquet(folder / f"{name}.parquet", index=False)
    train_rows.to_parquet(folder / "train.parquet", index=False)
    return folder


def run(capfd, *words):
    from recsparse.cli.main import app

    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        app([str(word) for word in words], prog_name="recsparse")
    assert not ended.value.code
    return capfd.readouterr().out


def read(files):
    return (pd.read_parquet(files / f"{name}.parquet") for name in ("train", "validation", "test"))


def lists_by_hand(files):
    """The user, the history and the targets of each list."""
    first, second, test = read(files)
    before = pd.concat([first, second])
    for user, mine in test.groupby("user_id"):
        earlier = before[before["user_id"] == user]
        for now in sorted(set(mine["timestamp"])):
            is_later = mine["timestamp"] >= now
            yield user, pd.concat([earlier, mine[~is_later]]), mine[is_later]
            if user in set(first["user_id"]):
                break


def hit_rates(files, model, k):
    """Whether a target is among the best k of each list, averaged for each user."""
    ids = model.items.ids.to_pylist()
    found = []
    for user, history, targets in lists_by_hand(files):
        row = np.zeros((1, len(ids)), dtype=np.float32)
        row[0, [ids.index(item) for item in history["item_id"] if item in ids]] = 1
        scores = model.model.score_batch(csr_matrix(row))[0].tolist()
        if len({*scores}) == 1 and not row.any():
            scores = [*naive_popularity(model).values()]
        best = sorted((-score, n) for n, score in enumerate(scores) if not row[0, n])[:k]
        hit = {ids[n] for _, n in best} & set(targets["item_id"])
        found.append((user, float(bool(hit))))
    return pd.DataFrame(found, columns=["user", "hit"]).groupby("user")["hit"].mean()


def test_the_command_line_gives_the_figures_of_a_loop_on_a_test_file_of_new_users(
    files, monkeypatch, capfd
):
    monkeypatch.chdir(files)
    later = ["--validation", "validation.parquet", "--test", "test.parquet"]
    run(capfd, "prepare", "train.parquet", *later, "--out", "dataset", "--quiet")
    run(capfd, "train", "dataset", "--out", "model", "--set", "model.kind=item_knn", "--quiet")
    words = ["evaluate", "model", "dataset", "--set", "evaluation.metrics=['all@2']", "--quiet"]
    found = json.loads(run(capfd, *words, "--json"))["model"]
    first, _, test = read(files)
    expected = hit_rates(files, load_model(files / "model"), k=2)
    is_new = ~expected.index.isin(first["user_id"])
    assert found["hit_rate@2"] == pytest.approx(expected.mean())
    assert found["new users"]["hit_rate@2"] == pytest.approx(expected[is_new].mean())
    assert found["known users"]["hit_rate@2"] == pytest.approx(expected[~is_new].mean())
    assert found["users"] == len(expected) == test["user_id"].nunique()
    assert found["new users"]["users"] == is_new.sum()
    counts, num_lists = found["test part"], sum(1 for _ in lists_by_hand(files))
    assert counts["evaluated_rows"] == counts["rows"] == len(test)
    assert counts["evaluated_lists"] == num_lists > counts["evaluated_users"]
    assert f"evaluated by {num_lists} lists" in " ".join(run(capfd, *words).split())
    # Known users have one list each, and nothing is said of it.
    assert " lists" not in run(capfd, *words, "--include-users", "known")


@pytest.fixture(scope="module")
def rated(files):
    """A dataset of ratings, and a model of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(files)
        sources = Sources(
            logs="train.parquet", validation=["validation.parquet"], test=["test.parquet"]
        )
        prepare(sources, "ratings", config=load_config(None, ["log.weight_column=rating"]))
        train("ratings", "bias", load_config(None, ["model.kind=rating_bias"]))
    return files


def test_each_rating_is_predicted_once_from_all_that_is_known_before_its_row(rated):
    model = load_model(rated / "bias")
    ids = model.items.ids.to_pylist()
    errors = []
    for user, history, targets in lists_by_hand(rated):
        row = np.zeros((1, len(ids)), dtype=np.float32)
        row[0, [ids.index(item) for item in history["item_id"]]] = history["rating"]
        scores = model.model.score_batch(csr_matrix(row))[0].tolist()
        for _, target in targets.iterrows():
            error = scores[ids.index(target["item_id"])] - target["rating"]
            errors.append((user, target["item_id"], error))
    # Lists come by time: the last prediction is the one from the most.
    frame = pd.DataFrame(errors, columns=["user", "item", "error"])
    last = frame.drop_duplicates(["user", "item"], keep="last")
    result = evaluate([rated / "bias"], rated / "ratings").results["bias"]
    assert len(last) == result.part.evaluated_rows < len(frame)
    assert result.overall["rmse"] == pytest.approx(np.sqrt((last["error"] ** 2).mean()), abs=1e-6)
    assert result.overall["mae"] == pytest.approx(last["error"].abs().mean(), abs=1e-6)
    by_user = last.groupby("user")["error"]
    rmse = np.sqrt(by_user.agg(lambda error: (error**2).mean()))
    np.testing.assert_allclose(sorted(result.per_user["user_rmse"]), sorted(rmse), atol=1e-6)
    mae = by_user.agg(lambda error: error.abs().mean())
    np.testing.assert_allclose(sorted(result.per_user["user_mae"]), sorted(mae), atol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_lists_of_one_user_may_be_in_several_batches(rated, size):
    whole, parts = (
        evaluate([rated / "bias"], rated / "ratings", config=load_config(None, [setting]))
        for setting in ("evaluation.batch_users=1024", f"evaluation.batch_users={size}")
    )
    assert parts.part == whole.part
    assert parts.table.loc["bias", "users"] == len(parts.results["bias"].per_user["ndcg@10"])
    for metric, values in whole.results["bias"].per_user.items():
        np.testing.assert_allclose(parts.results["bias"].per_user[metric], values, err_msg=metric)
