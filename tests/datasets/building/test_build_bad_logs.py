import hashlib
import shutil
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.errors import InputError, SchemaError
from recsparse.stages.prepare import prepare

ROWS = 60


def table(**columns):
    """Return a small log whose split leaves rows in every part."""
    ids = {"user_id": np.arange(ROWS) // 6, "item_id": np.arange(ROWS) % 6}
    return pa.table({**ids, "timestamp": np.arange(ROWS) + 1_600_000_000, **columns})


def write(path, log=None, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table() if log is None else log, path, **settings)
    return path


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def without_files(folder):
    """Return the contents but for the record of the files that were read, which differ."""
    kept = digest(folder)
    return {name: kept[name] for name in kept if name not in ("log/taken.parquet", "manifest.toml")}


@pytest.fixture
def old(tmp_path):
    """A dataset that must outlive every failure, and what is in it."""
    prepare(write(tmp_path / "old.parquet"), tmp_path / "dataset")
    return tmp_path / "dataset", digest(tmp_path / "dataset"), sorted(tmp_path.iterdir())


def refuse(old, logs, error, message, *settings):
    out, before, there = old
    sources = Sources(logs=logs, repeats="take")
    with pytest.raises(error, match=message):
        prepare(sources, out, config=load_config(None, list(settings)), overwrite=True)
    assert digest(out) == before
    left = [path for path in out.parent.iterdir() if path not in there]
    assert {path.name for path in left} <= {"logs"}


@pytest.mark.parametrize("settings", [[], ["log.where=user_id >= 0"]], ids=["all", "filtered"])
def test_a_row_group_damaged_in_the_middle_of_one_of_many_files_is_refused(tmp_path, old, settings):
    for number in range(12):
        path = write(tmp_path / f"logs/{number:02}.parquet", row_group_size=10)
    path = tmp_path / "logs/07.parquet"
    place = pq.read_metadata(path).row_group(3).column(0).dictionary_page_offset
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + b"\xff" * 30 + whole[place + 30 :])
    message = r"07\.parquet must be a complete Parquet file, but reading it failed: .*; copy or wri"
    refuse(old, tmp_path / "logs", InputError, message, *settings)


@pytest.mark.parametrize("settings", [[], ["log.where=user_id >= 0"]], ids=["all", "filtered"])
def test_a_partition_that_disappears_while_the_log_is_read_is_named(
    tmp_path, old, settings, monkeypatch
):
    for day in range(4):
        write(tmp_path / f"logs/date=2026-01-0{day + 1}/log.parquet")
    for module in ("reading.tables", "reading.row_filter"):
        monkeypatch.setattr(f"recsparse.datasets.{module}._PIECE_ROWS", ROWS)
    monkeypatch.setattr("recsparse.datasets.reading.log_source._MOST_BYTES", 1)
    from recsparse.datasets.building.intake import IntakeCounts

    add = IntakeCounts.add

    def vanish(self, batch):
        shutil.rmtree(tmp_path / "logs/date=2026-01-04", ignore_errors=True)
        add(self, batch)

    monkeypatch.setattr(IntakeCounts, "add", vanish)
    message = r"date=2026-01-04/log\.parquet must be a complete Parquet file, but .*No such file"
    refuse(old, tmp_path / "logs", InputError, message, *settings)


def test_files_of_types_that_do_not_fit_are_named(tmp_path, old):
    write(tmp_path / "logs/a.parquet")
    write(tmp_path / "logs/b.parquet", table(user_id=pa.array([f"u{n}" for n in range(ROWS)])))
    message = r"'user_id' must have one type, but is int64 in .*a\.parquet and string in .*b\.parq"
    refuse(old, tmp_path / "logs", SchemaError, message)


def test_user_and_item_in_one_column_are_refused(tmp_path, old):
    logs = write(tmp_path / "logs/log.parquet")
    message = "users and items must be two columns, but both are 'user_id'"
    refuse(old, logs, SchemaError, message, "log.item_column=user_id")


@pytest.mark.parametrize("kind", ["no rows", "only empty partitions"])
def test_an_empty_log_is_refused(tmp_path, old, kind):
    if kind == "no rows":
        write(tmp_path / "logs/log.parquet", table().slice(0, 0))
    else:
        for day in range(3):
            write(tmp_path / f"logs/date={day}/log.parquet", table().slice(0, 0))
    refuse(old, tmp_path / "logs", InputError, "the log must have rows, but .*logs has none")


def test_a_filter_that_lets_nothing_pass_is_refused(tmp_path, old):
    logs = write(tmp_path / "logs/log.parquet")
    refuse(old, logs, InputError, "must have rows, but .* has none", "log.where=user_id < 0")


def test_strict_refuses_negative_weights(tmp_path, old):
    logs = write(tmp_path / "logs/log.parquet", table(weight=np.full(ROWS, -1.0)))
    message = "with strict, every row .* of 60 rows 60 are not .weight is negative: 60.; the first"
    refuse(old, logs, InputError, message, "log.strict=true")


def parts(data):
    """Return all rows that are ever evaluated or trained on, by id, sorted."""
    users = [*data.users.ids.to_pylist(), *data.unseen_users.ids.to_pylist()]
    items = [*data.items.ids.to_pylist(), *data.unseen_items.ids.to_pylist()]
    return sorted(
        (users[row["user_index"]], items[row["item_index"]], row["weight"], row["timestamp"])
        for part in (data.split.train, data.split.validation, data.split.test)
        for row in part.to_pylist()
    )


STRINGS = pa.array([f"u{n // 6}" for n in range(ROWS)])
WHOLE = pa.array([Decimal(n // 6) for n in range(ROWS)], pa.decimal128(38, 0))
TIMES = pa.array(np.arange(ROWS) + 1_600_000_000)
KINDS = {
    "dictionary": ("user_id", STRINGS, STRINGS.dictionary_encode()),
    "large_string": ("user_id", STRINGS, STRINGS.cast(pa.large_string())),
    "string_view": ("user_id", STRINGS, STRINGS.cast(pa.string_view())),
    "dictionary of integers": (
        "user_id", WHOLE.cast(pa.int64()), WHOLE.cast(pa.int64()).dictionary_encode()
    ),
    "whole decimals": ("user_id", WHOLE.cast(pa.int64()), WHOLE),
    "uint64": ("user_id", WHOLE.cast(pa.int64()), WHOLE.cast(pa.int64()).cast(pa.uint64())),
    "weights": ("weight", pa.array([1.25] * ROWS), pa.array([Decimal("1.25")] * ROWS)),
    "ratings": ("rating", pa.array([3.5] * ROWS), pa.array([Decimal("3.5")] * ROWS)),
    "time in Tokyo": (
        "timestamp", TIMES, TIMES.cast(pa.timestamp("s")).cast(pa.timestamp("us", "Asia/Tokyo")),
    ),
    "time of uint64": ("timestamp", TIMES, TIMES.cast(pa.uint64())),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_another_type_gives_the_same_bytes(tmp_path, kind):
    name, plain, odd = KINDS[kind]
    for folder, column in (("plain", plain), ("odd", odd)):
        prepare(write(tmp_path / f"{folder}.parquet", table(**{name: column})), tmp_path / folder)
    one, other = without_files(tmp_path / "plain"), without_files(tmp_path / "odd")
    # Rejected rows, none here, have the types of the log.
    assert one.pop("rejected.parquet")
    assert other.pop("rejected.parquet")
    assert one == other


def test_files_with_other_columns_and_close_types_are_read_together(tmp_path):
    log = table(rating=np.ones(ROWS))
    write(tmp_path / "logs/a.parquet", log.slice(0, 20).drop_columns("rating"))
    narrow = log.schema.set(1, pa.field("item_id", pa.int8()))
    write(tmp_path / "logs/b.parquet", log.slice(20, 20).cast(narrow))
    write(tmp_path / "logs/c.parquet", log.slice(40).append_column("other", [["x"] * 20]))
    data = prepare(tmp_path / "logs", tmp_path / "dataset")
    expected = list(zip(*(log[name].to_pylist() for name in ("user_id", "item_id")), strict=True))
    assert [(user, item) for user, item, _, _ in parts(data)] == sorted(expected)


def test_empty_partitions_and_files_beside_full_ones_change_nothing(tmp_path):
    write(tmp_path / "logs/date=1/log.parquet")
    prepare(tmp_path / "logs", tmp_path / "plain")
    write(tmp_path / "logs/date=2/log.parquet", table().slice(0, 0))
    (tmp_path / "logs/date=3").mkdir()
    prepare(tmp_path / "logs", tmp_path / "more")
    assert without_files(tmp_path / "plain") == without_files(tmp_path / "more")


def test_ids_of_10_kilobytes_are_ids(tmp_path):
    long = pa.array([chr(97 + n // 6) * 10_000 for n in range(ROWS)])
    data = prepare(write(tmp_path / "log.parquet", table(user_id=long)), tmp_path / "dataset")
    assert sorted(data.users.ids.to_pylist()) == [chr(97 + n) * 10_000 for n in range(10)]


def test_nan_ratings_are_unknown_and_infinite_ones_and_negative_weights_are_set_aside(tmp_path):
    ratings, weights = np.full(ROWS, 4.0), np.ones(ROWS)
    ratings[[0, 7]] = np.nan
    ratings[[20, 33, 47]] = np.inf, -np.inf, np.inf
    weights[[10, 20]] = -1
    log = write(tmp_path / "log.parquet", table(rating=ratings, weight=weights))
    data = prepare(log, tmp_path / "dataset")
    rejected = pq.read_table(tmp_path / "dataset/rejected.parquet")
    reasons = ["rating is infinite"] * 2 + ["weight is negative"] * 2
    assert rejected["reason"].to_pylist() == reasons
    assert data.counts["rejected_rows"] == 4
    found = [
        rating
        for part in (data.split.train, data.split.validation, data.split.test)
        for rating in part["rating"].to_pylist()
    ]
    assert len(found) == ROWS - 4
    assert found.count(None) == 2
    assert set(found) == {4.0, None}


def test_a_class_that_is_no_split_is_refused_before_the_log_is_read(tmp_path, monkeypatch):
    write(tmp_path / "log.parquet")
    monkeypatch.setattr("recsparse.datasets.building.build.workspace", None)  # nothing is begun
    config = load_config(overrides=["split.kind=os:system"])
    with pytest.raises(InputError, match="must name a class of splits, but os:system is"):
        prepare(tmp_path / "log.parquet", tmp_path / "out", config=config)
    assert not (tmp_path / "out").exists()
