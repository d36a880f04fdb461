"""Every public door takes every type of ids that Arrow and pandas make, all alike."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.scoring.batch import read_ids, score_candidates
from recsparse.scoring.list_jobs import recommend_users
from recsparse.stages.evaluate_file import evaluate_file
from recsparse.stages.prepare import prepare
from tests.scoring.naive import random_model

USERS, ITEMS = [10, 11, 12, 13], [500, 501, 502, 503]


def encoded(index, values):
    """Return a maker of dictionaries, with a value that no row has."""

    def make(ids):
        unused = 7 if pa.types.is_integer(values) else "unused"
        names = pa.array([*dict.fromkeys(ids), unused], values)
        places = pa.array([names.to_pylist().index(each) for each in ids], index)
        return pa.DictionaryArray.from_arrays(places, names)

    return make


def runs(kind):
    return lambda ids: pa.array(ids, pa.run_end_encoded(pa.int32(), kind))


def categories(dtype):
    return lambda ids: pd.Series(ids, dtype=dtype).astype("category")


class Shelf(pa.ExtensionType):
    """Integers by another name."""

    def __init__(self):
        super().__init__(pa.int32(), "recsparse.tests.shelf")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


def arrow(kind):
    return lambda ids: pa.array(ids, kind)


def pandas(dtype):
    return lambda ids: pd.Series(ids, dtype=dtype)


WIDTHS = [pa.int16(), pa.int32(), pa.int64(), pa.uint16(), pa.uint32(), pa.uint64()]
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
INTEGER_TYPES = {
    **{str(kind): arrow(kind) for kind in WIDTHS},
    "decimal": arrow(pa.decimal128(20, 0)),
    "dictionary": encoded(pa.int8(), pa.int64()),
    "dictionary by uint64": encoded(pa.uint64(), pa.int32()),
    "extension": lambda ids: pa.ExtensionArray.from_storage(Shelf(), pa.array(ids, pa.int32())),
    **{f"pandas {dtype}": pandas(dtype) for dtype in
       ("int16", "uint64", "Int64", "UInt64", "Int16", "int64[pyarrow]", "uint32[pyarrow]")},
    **{f"categories of {dtype}": categories(dtype) for dtype in ("int64", "Int64")},
}  # fmt: skip
TEXT_TYPES = {
    **{str(kind): arrow(kind) for kind in TEXTS},
    **{f"dictionary of {kind} by {index}": encoded(index, kind)
       for kind in TEXTS[:2] for index in (pa.int8(), pa.uint16(), pa.int64())},
    **{f"pandas {dtype}": pandas(dtype) for dtype in
       ("str", "string[python]", "string[pyarrow]", "object",
        pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.large_string()),
        pd.ArrowDtype(pa.string_view()), pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())))},
    **{f"categories of {dtype}": categories(dtype) for dtype in
       ("str", "string[python]", "string[pyarrow]", "object")},
}  # fmt: skip
# What Arrow cannot write to Parquet.
IN_MEMORY = {
    "runs": runs(pa.string()),
    "runs of integers": runs(pa.int64()),
    "dictionary of views": encoded(pa.uint16(), pa.string_view()),
}
TYPES = {**INTEGER_TYPES, **TEXT_TYPES, **IN_MEMORY}
all_types = pytest.mark.parametrize("kind", TYPES)
file_types = pytest.mark.parametrize("kind", [*INTEGER_TYPES, *TEXT_TYPES])


def names_of(kind):
    return int if kind in INTEGER_TYPES or kind == "runs of integers" else str


def column(kind, ids):
    return TYPES[kind]([names_of(kind)(each) for each in ids])


def table(**columns):
    """Return a frame where a column is one of pandas, else a table of Arrow."""
    if any(isinstance(each, pd.Series) for each in columns.values()):
        return pd.DataFrame(columns)
    return pa.table(columns)


def written(path, rows):
    path.parent.mkdir(exist_ok=True, parents=True)
    if isinstance(rows, pd.DataFrame):
        rows.to_parquet(path, index=False)
    else:
        pq.write_table(rows, path)
    return path


def pairs_of(kind, users=USERS, items=ITEMS):
    return table(user_id=column(kind, users), item_id=column(kind, items))


def plain(kind):
    return pd.DataFrame({"user_id": USERS, "item_id": ITEMS}).map(names_of(kind))


@all_types
def test_scores_recommendations_and_histories(kind):
    model = random_model(4, 4, seed=0, names=names_of(kind))
    pairs, expected = pairs_of(kind), plain(kind)
    assert model.score(pairs).tolist() == model.score(expected).tolist()
    wanted, items = column(kind, USERS[:2]), column(kind, ITEMS[1:])
    ids = {name: expected[name].tolist() for name in expected}
    pd.testing.assert_frame_equal(
        model.recommend(wanted, 3, items=items, filter_seen=False),
        model.recommend(ids["user_id"][:2], 3, items=ids["item_id"][1:], filter_seen=False),
    )
    pd.testing.assert_frame_equal(model.recommend(history=pairs), model.recommend(history=expected))
    after = model.with_history(pairs_of(kind, [10, 99, 99, 13]))
    assert after.users.ids.type == model.users.ids.type
    assert len(after.users) == 5


@all_types
def test_no_rows_at_all(kind):
    model = random_model(4, 4, seed=0, names=names_of(kind))
    nothing = pairs_of(kind, USERS[:0], ITEMS[:0])
    assert model.score(nothing).shape == (0,)
    assert len(model.recommend(column(kind, []))) == 0
    assert len(model.recommend(history=nothing)) == 0
    assert model.with_history(nothing).users.ids.equals(model.users.ids)


@file_types
def test_files_of_candidates_and_of_users(kind, tmp_path):
    model = random_model(4, 4, seed=0, names=names_of(kind))
    path = written(tmp_path / "candidates.parquet", pairs_of(kind))
    score_candidates(model, path, tmp_path / "scores.parquet")
    scores = pq.read_table(tmp_path / "scores.parquet")
    assert scores["score"].to_pylist() == model.score(plain(kind)).tolist()
    users = read_ids(path, "user_id")
    assert users.equals(model.users.ids)
    assert recommend_users(model, tmp_path / "lists.parquet", 2, users) == 4


ROWS = [(user, item) for user in range(1, 9) for item in range(1, 9) if (user + item) % 3]


def log_of(kind):
    users, items = zip(*ROWS, strict=True)
    return table(user_id=column(kind, users), item_id=column(kind, items))


@file_types
def test_logs_items_tables_and_scored_files(kind, tmp_path):
    log = written(tmp_path / "log.parquet", log_of(kind))
    ids = column(kind, [*range(1, 9)])
    titles = [f"title {item}" for item in range(1, 9)]
    titles = pd.Series(titles) if isinstance(ids, pd.Series) else pa.array(titles)
    items = written(tmp_path / "items.parquet", table(item_id=ids, title=titles))
    sources = Sources(logs=log, items=items)
    data = prepare(
        sources, tmp_path / "data", config=load_config(overrides=["text.columns=['title']"])
    )
    assert data.items.ids.type == (pa.int64() if names_of(kind) is int else pa.string())
    assert data.counts["log_rows"] == len(ROWS)
    assert data.counts["rejected_rows"] == data.counts["item_table_not_in_table"] == 0
    test = data.with_ids(load_dataset(tmp_path / "data").split.test)
    users, found = (test[name].to_pylist() for name in ("user_id", "item_id"))
    scored = table(user_id=column(kind, users), item_id=column(kind, found))
    if isinstance(scored, pd.DataFrame):
        scored = scored.assign(score=1.0)
    else:
        scored = scored.append_column("score", pa.array(np.ones(len(test))))
    result = evaluate_file(written(tmp_path / "scored.parquet", scored), tmp_path / "data")
    assert result.mean()["recall@20"] == 1.0
