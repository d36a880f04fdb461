"""Slices of a prepared log, as loops over its rows find them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.evaluated.whole_part import whole_part
from recsparse.errors import InputError
from recsparse.evaluation.listed_metrics import ListedMetrics, length_table
from recsparse.evaluation.popularity import popularity_table, popularity_thirds
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.slices import slice_table
from recsparse.evaluation.slices_of_part import SlicedPart
from tests.prepared import prepared

DAY = 86_400


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Users and items that come as days go by, with tables of both."""
    folder, rng = tmp_path_factory.mktemp("sliced"), np.random.default_rng(0)
    users = pa.table({"user_id": range(50), "sex": [*"fm"] * 25, "age": np.arange(50) % 37 + 12})
    genres = [["a"] if item % 3 else ["a", "b"] for item in range(40)]
    pq.write_table(users, folder / "users.parquet")
    pq.write_table(pa.table({"item_id": range(40), "genres": genres}), folder / "items.parquet")
    days = np.sort(rng.integers(0, 100, 600))
    rows = [
        (int(rng.integers(0, 10 + day * 0.4)), int(min(rng.geometric(0.15), 20 + day // 5)))
        for day in days
    ]
    settings = [
        *("split.kind=global_time", "split.validation=0.1", "split.test=0.3"),
        *("features.categories=['genres']", "features.user_categories=['sex']"),
        "features.user_numbers=['age']",
    ]
    return prepared(
        folder, rows, settings, times=(days * DAY).tolist(),
        items=folder / "items.parquet", users=folder / "users.parquet",
    )  # fmt: skip


def sliced(data, *settings):
    part = whole_part(data, "test")
    return SlicedPart.of(data, "test", part, load_config(None, list(settings)).evaluation)


def frame(data, name):
    return data.with_ids(getattr(data.split, name)).to_pandas()


def masks(data, group):
    """The ids of each slice of a group."""
    found = sliced(data)
    ids = {True: found.part.user_ids.to_pandas(), False: found.part.items.ids.to_pandas()}
    return {
        some.name: {*ids[some.items is None][some.users if some.items is None else some.items]}
        for some in found.slices
        if some.group == group
    }


def test_users_are_sliced_by_the_items_known_of_them(data):
    before = pd.concat([frame(data, "train"), frame(data, "validation")])
    known = before.groupby("user_id")["item_id"].nunique()
    sizes = {user: known.get(user, 0) for user in frame(data, "test")["user_id"].unique()}
    found = masks(data, "history")
    assert len(found) > 2
    assert sum(map(len, found.values())) == len(sizes)
    for name, users in found.items():
        first, *last = [int(word) for word in name.split() if word.isdigit()]
        bounds = first, (last or [first])[0]
        assert users == {user for user, size in sizes.items() if bounds[0] <= size <= bounds[1]}


def test_users_and_items_are_sliced_by_whether_they_were_trained_on(data):
    train, test = frame(data, "train"), frame(data, "test")
    users = {*test["user_id"]}
    expected = {
        "known users": users & {*train["user_id"]},
        "new users": users - {*train["user_id"]},
    }
    assert masks(data, "users") == expected
    found = masks(data, "items")
    assert found["known items"] == {*train["item_id"]}
    assert found["new items"] >= {*test["item_id"]} - {*train["item_id"]}


def test_items_are_sliced_by_thirds_of_the_training_rows(data):
    counts = frame(data, "train")["item_id"].value_counts()
    found = masks(data, "popularity")
    assert [*found] == ["head items", "middle items", "tail items"]
    assert sum(map(len, found.values())) == len(counts)
    rows = [counts[list(items)].sum() for items in found.values()]
    assert rows == pytest.approx([counts.sum() / 3] * 3, abs=float(counts.max()))
    assert counts[list(found["head items"])].min() >= counts[list(found["middle items"])].max()
    assert counts[list(found["middle items"])].min() >= counts[list(found["tail items"])].max()


def test_users_are_sliced_by_the_days_since_the_training(data):
    last, test = frame(data, "train")["timestamp"].max(), frame(data, "test")
    first = (test.groupby("user_id")["timestamp"].min() - last) // DAY
    found = masks(data, "time")
    assert sum(map(len, found.values())) == len(first)
    for name, users in found.items():
        low, high = int(name.split()[1]), int(name.split()[3])
        assert users == {*first[first.between(low, high)].index}
    split = data.config.split.model_copy(update={"kind": "random"})
    at_random = replace(data, config=data.config.model_copy(update={"split": split}))
    assert masks(at_random, "time") == {}


def test_users_and_items_are_sliced_by_the_columns_of_their_tables(data):
    test = frame(data, "test")
    users = {*test["user_id"]}
    assert masks(data, "sex") == {
        "sex=f": {user for user in users if user % 2 == 0},
        "sex=m": {user for user in users if user % 2 == 1},
    }
    genres = masks(data, "genres")
    assert genres["genres=b"] == {item for item in genres["genres=a"] if item % 3 == 0}
    ages = masks(data, "age")
    assert len(ages) == 4
    for name, some in ages.items():
        first, last = int(name.split()[1]), int(name.split()[3])
        assert some == {user for user in users if first <= user % 37 + 12 <= last}
    assert max(map(len, ages.values())) <= len(users) / 4 + 3


def test_only_slices_that_are_named_are_made(data):
    found = sliced(data, "evaluation.slices=['users.sex', 'history']").slices
    assert list(dict.fromkeys(some.group for some in found)) == ["sex", "history"]
    assert sliced(data, "evaluation.slices=[]").slices == []


def test_an_unknown_column_is_refused_with_the_nearest(data):
    message = "but users.agee is none; the nearest known is 'users.age'"
    with pytest.raises(InputError, match=message):
        sliced(data, "evaluation.slices=['users.agee']")


def listed(data, k=5, seed=0):
    """Random lists of a model that knows some items of the dataset, and one more."""
    part, rng = whole_part(data, "test"), np.random.default_rng(seed)
    known = part.items.ids.to_pylist()[::2]
    ids = pa.array([*known, 999])
    lists = np.array([rng.permutation(len(ids))[:k] for _ in range(len(part.lists))])
    lists[0, 3:] = -1
    per_user = {f"recall@{k}": np.zeros(len(part.user_ids))}
    return part, RankingResult(per_user, {}, 0, recommended=lists, item_ids=ids)


def test_a_slice_of_items_counts_targets_among_them_alone(data):
    part, result = listed(data)
    some = sliced(data, "evaluation.slices=['popularity']").slices
    table = slice_table(result, some, part).set_index("slice")
    for each in some:
        wanted = {*part.items.ids.filter(pa.array(each.items)).to_pylist()}
        shares = {}
        for place, user in enumerate(part.lists.user):
            cells = part.lists.targets[place : place + 1].indices
            targets = {*part.items.id_of(cells).to_pylist()} & wanted
            best = {
                result.item_ids[item].as_py() for item in result.recommended[place] if item >= 0
            }
            if targets:
                shares.setdefault(user, []).append(len(best & targets) / len(targets))
        means = [np.mean(values) for values in shares.values()]
        assert table.loc[each.name, "users"] == len(means)
        assert table.loc[each.name, "mean"] == pytest.approx(np.mean(means))


def test_metrics_at_other_lengths_are_those_of_shorter_lists(data):
    part, result = listed(data)
    table = length_table({"a": result}, part, "recall@5")
    assert table.index.tolist() == [1, 2, 3, 5]
    for k in table.index:
        shorter = RankingResult(
            {}, {}, 0, recommended=result.recommended[:, :k], item_ids=result.item_ids
        )
        found = ListedMetrics(shorter, part).per_user([int(k)])[f"recall@{k}"]
        assert table.loc[k, "a"] == pytest.approx(found.mean())
    assert table["a"].is_monotonic_increasing
    assert len(length_table({"a": result}, part, "auc")) == 0


def test_lists_of_another_part_are_refused(data):
    part, result = listed(data)
    few = RankingResult({}, {}, 0, recommended=result.recommended[:2], item_ids=result.item_ids)
    with pytest.raises(InputError, match="must have the lists of its part, but has 2"):
        ListedMetrics(few, part)
    with pytest.raises(InputError, match="must have lists and the ids"):
        ListedMetrics(RankingResult({}, {}, 0), part)


def test_the_popularity_of_what_is_consumed_and_recommended_is_counted(data):
    part, result = listed(data)
    rows = sliced(data).training_rows
    table = popularity_table({"a": result}, part, rows)
    third = dict(zip(part.items.ids.to_pylist(), popularity_thirds(rows), strict=True))
    test = [third[item] for item in frame(data, "test")["item_id"]]
    items = [result.item_ids[int(each)].as_py() for each in result.recommended.ravel() if each >= 0]
    for name, kinds in (("test rows", test), ("a", [third.get(item, 3) for item in items])):
        expected = [kinds.count(kind) / len(kinds) for kind in range(4)]
        assert table.loc[name].tolist() == pytest.approx(expected)
    assert table.loc["training rows", "new"] == 0
