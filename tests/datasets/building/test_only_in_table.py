"""Ids that a table alone has become part of a dataset, and change nothing else of it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.config.toml_reader import load_config
from recsparse.datasets.features.groups import groups_of
from recsparse.stages.describe import describe
from recsparse.stages.evaluate import evaluate
from recsparse.stages.train import train
from tests.prepared import contents, ids, log_table, prepared, prepared_files

# Users 0 to 4 and items 0 to 5 have training rows, item 8 a test row alone, user 9 likewise.
ROWS = [*((user, item) for user in range(5) for item in range(6)), (1, 0), (2, 8), (9, 3)]
PARTS = ["train"] * 30 + ["validation", "test", "test"]
SETTINGS = [
    "split.kind=given", "text.columns=['title']", "features.categories=['kind']",
    "features.numbers=['price']", "features.vectors=['shape']", "features.user_numbers=['age']",
]  # fmt: skip
FITTED = ["words", "categories", "number_scales"]


def items(numbers):
    """Return a table; of ids that are not in training, what no other id has."""
    return pa.table(
        {
            "item_id": [*numbers],
            "title": [f"red {'planted' if n > 5 else 'fox'} w{n % 3}" for n in numbers],
            "kind": [f"k{n % 4}" if n <= 8 else "planted" for n in numbers],
            "price": [float(n**3) if n % 3 else None for n in numbers],
            "shape": pa.array([[n, n % 5] for n in numbers], pa.list_(pa.float32())),
        }
    )


def users(numbers):
    return pa.table({"user_id": [*numbers], "age": [float(n) for n in numbers]})


def build(folder, item_ids=None, user_ids=None, name="dataset"):
    folder.mkdir(exist_ok=True)
    tables = {}
    for axis, make, numbers in (("items", items, item_ids), ("users", users, user_ids)):
        if numbers is not None:
            tables[axis] = folder / f"{name} {axis}.parquet"
            pq.write_table(make(numbers), tables[axis])
    settings = SETTINGS if item_ids is not None else ["split.kind=given"]
    return prepared(folder, ROWS, settings, part=PARTS, **tables)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("only")


LOG = [0, 1, 2, 3, 4, 5, 8]


@settings(max_examples=5)
@given(st.sets(st.integers(-5, 40)), st.permutations(LOG), st.randoms())
def test_ids_of_the_table_alone_come_last_and_change_nothing_before_them(
    folder, others, order, rng
):
    others = others - {*LOG}
    exact = build(folder / "exact", order)
    mixed = [*order, *others]
    rng.shuffle(mixed)
    larger = build(folder / "larger", mixed)
    assert larger.items.ids.equals(exact.items.ids)
    assert exact.unseen_items.ids.to_pylist() == [8]
    assert larger.unseen_items.ids.to_pylist() == [8, *sorted(others)]
    before = {
        name: content
        for name, content in contents(folder / "exact" / "dataset").items()
        if not name.startswith(("item_", "unseen_items", "log", "dataset.toml"))
        or name.removesuffix(".parquet").partition("_")[2] in FITTED
    }
    after = contents(folder / "larger" / "dataset")
    assert [name for name in before if before[name] != after[name]] == []
    counts = {**exact.counts, "items_only_in_table": len(others)}
    assert larger.counts == counts
    index = np.arange(7 + len(others))
    known, all_of_them = (
        groups_of(each.item_side, each.item_reviews, index[: 7 + extra])
        for each, extra in ((exact, 0), (larger, len(others)))
    )
    for one, other in zip(known, all_of_them, strict=True):
        assert (one.name, one.kind) == (other.name, other.kind)
        assert dense(one).tobytes() == dense(other)[:7].tobytes()
        assert other.values.shape[0] == len(index)


def dense(group):
    return np.asarray(group.values.todense() if group.kind in ("words", "categories")
                      else group.values)  # fmt: skip


@pytest.mark.parametrize("item_ids", [None, LOG, [0, 7]])
def test_without_more_ids_in_the_table_the_unseen_are_those_of_the_log(folder, item_ids):
    data = build(folder / "few", item_ids)
    extra = [7] if item_ids == [0, 7] else []
    assert data.unseen_items.ids.to_pylist() == [8, *extra]
    assert data.counts["unseen_items"] == data.counts["unseen_users"] == 1
    assert data.counts.get("items_only_in_table") == (None if item_ids is None else len(extra))


def test_one_item_of_the_table_alone_has_its_features(folder):
    data = build(folder / "one", [*LOG, 7], [0, 77])
    assert data.unseen_items.ids.to_pylist() == [8, 7]
    words, kind, price, shape = groups_of(data.item_side, data.item_reviews, np.array([7]))
    assert words.values.indices.tolist() == [data.words.words.index(w) for w in ("red", "w1")]
    assert kind.values.toarray().tolist() == [[0, 0, 0, 1]]
    train = np.array([1, 8, 64, 125])
    assert price.values[0] == pytest.approx([(343 - train.mean()) / train.std(), 0])
    lengths = [n**2 + (n % 5) ** 2 for n in range(1, 6)]
    assert shape.values[0] == pytest.approx(np.array([7, 2]) / np.mean(lengths) ** 0.5)
    assert data.unseen_users.ids.to_pylist() == [9, 77]
    assert data.counts["users_only_in_table"] == 1
    assert data.user_side.numbers.values.shape == (7, 2)
    assert data.user_ids(np.array([6])).to_pylist() == [77]
    assert data.item_ids(np.array([7])).to_pylist() == [7]


@pytest.mark.parametrize("catalogue", ["all", "known"])
def test_a_model_has_the_same_figures_whatever_else_the_table_has(workplace, catalogue):
    config = load_config(None, ["model.kind=content_knn", f"evaluation.catalogue={catalogue}"])
    found = []
    for name, more in (("exact", []), ("larger", [6, 7, *range(30, 60)])):
        folder = workplace / name
        build(folder, [*LOG, *more], [*range(5), 9, *more])
        train(folder / "dataset", folder / "model", config)
        compared = evaluate([folder / "model"], folder / "dataset", None, config)
        result = compared.results["model"]
        found.append((result.per_user, compared.part, result.unknown_items))
    np.testing.assert_equal(*found)
    assert found[0][1].rows_of_unseen_items == 1


def test_what_describe_counts_of_rows_stays(tmp_path):
    for name, more in (("exact", []), ("larger", [6, 7])):
        build(tmp_path / name, [*LOG, *more])
    exact, larger = (describe(tmp_path / name / "dataset") for name in ("exact", "larger"))
    assert larger.pop("counts of prepare")["items_only_in_table"] == 2
    assert exact.pop("counts of prepare")["items_only_in_table"] == 0
    assert {**exact, "source": None} == {**larger, "source": None}


def test_an_item_of_the_table_gets_its_index_once_it_has_training_rows(tmp_path):
    build(tmp_path, [*LOG, 6, 7])
    later = [(user, 7) for user in range(3)]
    pq.write_table(log_table(later, range(900, 903), part=["train"] * 3), tmp_path / "new.parquet")
    dataset = tmp_path / "dataset"
    data = prepared_files(tmp_path / "new.parquet", tmp_path / "appended", append_to=dataset)
    assert data.items.ids.to_pylist() == [0, 1, 2, 3, 4, 5, 7]
    assert data.unseen_items.ids.to_pylist() == [8, 6]
    assert data.counts["items_only_in_table"] == 1
    logs = [tmp_path / "log.parquet", tmp_path / "new.parquet"]
    table = tmp_path / "dataset items.parquet"
    prepared_files(logs, tmp_path / "anew", SETTINGS, items=table, ids_from=dataset)
    assert contents(tmp_path / "anew") == contents(tmp_path / "appended")


def test_ids_that_are_texts_come_in_the_order_of_texts(tmp_path):
    rows = [(user, f"i{item}") for user, item in ROWS]
    table = pa.table({"item_id": ids(["ü", "b", "i0", "B"]), "title": ["red fox"] * 4})
    pq.write_table(table, tmp_path / "items.parquet")
    data = prepared(tmp_path, rows, ["split.kind=given"], part=PARTS,
                    items=tmp_path / "items.parquet")  # fmt: skip
    assert data.unseen_items.ids.to_pylist() == ["i8", "B", "b", "ü"]
