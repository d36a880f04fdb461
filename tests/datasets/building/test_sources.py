"""All that a dataset is made of may be in frames, as it may be in files."""

import logging

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import recsparse
from recsparse.datasets.building.taken import TAKEN
from recsparse.errors import InputError, SchemaError
from recsparse.outputs.manifest import MANIFEST
from tests.prepared import contents

LOG = pd.DataFrame(
    [(user, item) for user in range(1, 9) for item in range(1, 9) if (user + item) % 3],
    columns=["user_id", "item_id"],
)
TABLES = {
    "logs": LOG[:24],
    "validation": LOG[24:32],
    "test": LOG[32:],
    "items": pd.DataFrame({"item_id": range(1, 9), "title": [f"title {n}" for n in range(1, 9)]}),
    "users": pd.DataFrame({"user_id": range(1, 9), "about": [f"user {n}" for n in range(1, 9)]}),
}
LIBRARIES = ["pandas", "polars", "pyarrow"]
WITH_USERS = ("text.user_columns=['about']",)


def made(library, frame):
    if library == "polars":
        return pytest.importorskip("polars").from_pandas(frame)
    return frame if library == "pandas" else pa.Table.from_pandas(frame, preserve_index=False)


def in_files(folder, tables):
    folder.mkdir()
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    return {name: folder / f"{name}.parquet" for name in tables}


def prepare(tables, out, overrides=(), **others):
    config = recsparse.load_config(overrides=list(overrides)) if overrides else None
    return recsparse.prepare(recsparse.Sources(**tables, **others), out, config=config)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_dataset_of_frames_alone_is_that_of_files(library, tmp_path):
    prepare(in_files(tmp_path / "files", TABLES), tmp_path / "expected", WITH_USERS)
    frames = {name: made(library, table) for name, table in TABLES.items()}
    found = prepare(frames, tmp_path / "found", WITH_USERS)
    assert contents(tmp_path / "found") == contents(tmp_path / "expected")
    assert found.counts["item_table_not_in_table"] == found.counts["user_table_not_in_table"] == 0
    assert found.counts["test_rows"] == len(TABLES["test"])


def test_the_same_frame_gives_the_same_bytes(tmp_path):
    for out in ("one", "other"):
        prepare({"logs": LOG.copy()}, tmp_path / out)
    one, other = (
        {name: (tmp_path / out / name).read_bytes() for name in (f"log/{TAKEN}", MANIFEST)}
        for out in ("one", "other")
    )
    assert one == other


def test_a_log_may_be_of_files_and_frames(tmp_path):
    LOG[:20].to_parquet(tmp_path / "first.parquet", index=False)
    LOG.to_parquet(tmp_path / "all.parquet", index=False)
    prepare({"logs": tmp_path / "all.parquet"}, tmp_path / "expected")
    parts = [tmp_path / "first.parquet", LOG[20:30], made("pyarrow", LOG[30:])]
    prepare({"logs": parts}, tmp_path / "found")
    assert contents(tmp_path / "found") == contents(tmp_path / "expected")


def test_frames_of_types_that_do_not_fit_are_both_named(tmp_path):
    texts = LOG.astype({"item_id": str})
    expected = r"int64 in the frame given as logs\[0\] and .*string in the frame given as logs\[1\]"
    with pytest.raises(SchemaError, match=expected):
        prepare({"logs": [LOG, texts]}, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("items", {"id": [1, 2]}, "the frame given as items must have the column 'item_id'"),
        ("users", {"id": [1, 2]}, "the frame given as users must have the column 'user_id'"),
        ("validation", {"item_id": [1]}, "the frame given as validation must have the column"),
        ("test", {"item_id": [1]}, "the frame given as test must have the column 'user_id'"),
        ("items", {"item_id": [1, 1], "title": ["a", "b"]}, "of the frame given as items must"),
        ("items", {"item_id": ["a"], "title": ["a"]}, "of the frame given as items holds"),
    ],
)
def test_the_frame_that_is_wrong_is_named(name, columns, message, tmp_path):
    tables = TABLES | {name: pd.DataFrame(columns)}
    with pytest.raises(InputError, match=message):
        prepare(tables, tmp_path / "out", WITH_USERS)


def test_a_frame_that_was_taken_before_is_known_and_a_new_one_is_no_change_of_it(tmp_path, caplog):
    first, second = LOG[:28], LOG[28:]
    prepare({"logs": first}, tmp_path / "data")
    with pytest.raises(InputError, match=r"1 of 1 were taken before .*: frame "):
        prepare({"logs": first.copy()}, tmp_path / "data", append_to=tmp_path / "data")
    with caplog.at_level(logging.WARNING):
        prepare({"logs": second}, tmp_path / "data", append_to=tmp_path / "data")
    assert caplog.text == ""
    LOG.to_parquet(tmp_path / "all.parquet", index=False)
    prepare({"logs": tmp_path / "all.parquet"}, tmp_path / "expected")
    found, expected = (contents(tmp_path / name) for name in ("data", "expected"))
    assert found["train.arrow"] == expected["train.arrow"]


def test_tables_of_a_dataset_are_extended_by_frames(tmp_path):
    first = {"logs": LOG[:28], "items": TABLES["items"][:4]}
    second = {"logs": LOG[28:], "items": TABLES["items"][4:]}
    prepare(first, tmp_path / "data")
    found = prepare(second, tmp_path / "data", append_to=tmp_path / "data")
    kept = pq.read_table(tmp_path / "data" / "log" / "item_table.parquet")
    assert kept["item_id"].to_pylist() == [*range(1, 9)]
    assert found.counts["items"] == 8


def polars_ids(kind):
    def make(ids):
        pl = pytest.importorskip("polars")
        of = pl.Enum([*dict.fromkeys(ids)]) if kind == "Enum" else getattr(pl, kind)
        return pl.DataFrame({"id": pl.Series(ids, dtype=of)})["id"]

    return make


def arrow_ids(kind):
    return lambda ids: pa.array(ids, pa.dictionary(pa.int8(), kind))


def pandas_ids(dtype):
    return lambda ids: pd.Series(ids, dtype=dtype)


def categories(ids):
    return pd.Series(ids).astype("category")


INTEGERS = {
    "pandas int64": pandas_ids("int64"), "pandas Int64": pandas_ids("Int64"),
    "pandas int32[pyarrow]": pandas_ids("int32[pyarrow]"),
    "pandas object": pandas_ids("object"), "pandas categories": categories,
    "Polars Int32": polars_ids("Int32"), "Arrow dictionary": arrow_ids(pa.int32()),
}  # fmt: skip
TEXTS = {
    "pandas str": pandas_ids("str"), "pandas string": pandas_ids("string[python]"),
    "pandas object": pandas_ids("object"), "pandas categories": categories,
    "Polars String": polars_ids("String"), "Polars Categorical": polars_ids("Categorical"),
    "Polars Enum": polars_ids("Enum"), "Arrow dictionary": arrow_ids(pa.string()),
}  # fmt: skip


def frame_of(users, items):
    if isinstance(users, pd.Series):
        return pd.DataFrame({"user_id": users, "item_id": items})
    if isinstance(users, pa.Array):
        return pa.table({"user_id": users, "item_id": items})
    return pytest.importorskip("polars").DataFrame({"user_id": users, "item_id": items})


@pytest.mark.parametrize(
    ("made", "is_text"),
    [
        *(pytest.param(made, False, id=f"integers, {name}") for name, made in INTEGERS.items()),
        *(pytest.param(made, True, id=f"texts, {name}") for name, made in TEXTS.items()),
    ],
)
def test_ids_of_every_type_are_kept_as_integers_or_as_texts(made, is_text, tmp_path):
    users, items = LOG["user_id"].tolist(), LOG["item_id"].tolist()
    if is_text:
        users, items = ([f"{each:03}" for each in ids] for ids in (users, items))
    data = prepare({"logs": frame_of(made(users), made(items))}, tmp_path / "data")
    assert data.users.ids.type == data.items.ids.type == (pa.string() if is_text else pa.int64())
    assert sorted(data.users.ids.to_pylist()) == sorted({*users})


@pytest.mark.parametrize("library", LIBRARIES)
def test_nobody_in_a_frame_is_set_aside_as_in_a_file(library, tmp_path):
    log = pd.concat([LOG, pd.DataFrame({"user_id": [None], "item_id": [1]})], ignore_index=True)
    log["user_id"] = log["user_id"].astype("Int64")
    found = prepare({"logs": made(library, log)}, tmp_path / "data")
    assert found.counts["rejected_rows"] == 1
    assert pq.read_table(tmp_path / "data" / "rejected.parquet")["reason"].to_pylist() == [
        "user id is null"
    ]
