from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from benchmarks.measuring import synthetic_rows
from benchmarks.measuring.synthetic_rows import Form, write_log


def read(paths):
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def read_csv(paths):
    return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)


def test_a_log_has_its_rows_in_its_files_one_time_after_the_other(tmp_path):
    paths = write_log(tmp_path / "log", 1_001, 4)
    frames = [pd.read_parquet(path) for path in paths]
    assert [len(frame) for frame in frames] == [250, 250, 250, 251]
    for before, after in pairwise(frames):
        assert before["timestamp"].max() < after["timestamp"].min()
    log = read(paths)
    assert log["user_id"].str.fullmatch("user-[0-9a-f]{8}").all()
    assert log["item_id"].str.fullmatch("item-[0-9a-f]{8}").all()
    assert set(log["rating"]) == {1.0, 2.0, 3.0, 4.0, 5.0}


def test_all_forms_hold_the_same_rows_with_ids_of_their_types(tmp_path):
    text = read(write_log(tmp_path / "text", 500, 2))
    for form in Form:
        paths = write_log(tmp_path / form, 500, 2, form=form)
        assert {path.suffix for path in paths} == {f".{form.suffix}"}
        log = read(paths) if form.suffix == "parquet" else read_csv(paths)
        if form.id_type == "int64":
            for name in ("user", "item"):
                log[f"{name}_id"] = [f"{name}-{number:08x}" for number in log[f"{name}_id"]]
        pd.testing.assert_frame_equal(log, text, check_dtype=False)


def test_the_same_seed_gives_the_same_log_and_another_one_does_not(tmp_path):
    logs = [
        read(write_log(tmp_path / str(number), 500, 2, seed))
        for number, seed in enumerate([1, 1, 2])
    ]
    pd.testing.assert_frame_equal(logs[0], logs[1])
    assert not logs[0].equals(logs[2])


def test_a_log_is_written_chunk_by_chunk(tmp_path, monkeypatch):
    sizes, draw = [], synthetic_rows._draw

    def counted(rng, size, *others):
        sizes.append(size)
        return draw(rng, size, *others)

    monkeypatch.setattr(synthetic_rows, "_draw", counted)
    monkeypatch.setattr(synthetic_rows, "_CHUNK_ROWS", 30)
    assert len(read(write_log(tmp_path, 100, 2))) == 100
    assert sizes == [30, 20, 30, 20]


def test_items_are_as_popular_as_zipf_says_and_the_activity_of_users_is_its_root(tmp_path):
    log = read(write_log(tmp_path, 400_000, 1))
    items, users = (log[name].value_counts().to_numpy() for name in ("item_id", "user_id"))
    number = 400_000 // 200
    # Of the distribution between 0 and n: log((k + 1) / k) / log(n + 1) for the k-th item.
    share = np.log1p(1 / np.array([1, 10, 100])) / np.log(number + 1)
    assert items[[0, 9, 99]] / 400_000 == pytest.approx(share, rel=0.1)
    top = len(users) // 4
    assert users[:top].sum() / 400_000 == pytest.approx(0.5, abs=0.02)
    assert len(users) == 400_000 // 40
