import errno
import os
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.linear_models import PopularityConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import (
    InputError,
    MissingFileError,
    OutputError,
    SchemaError,
    UnknownIdError,
)
from recsparse.models.linear.popularity import Popularity
from recsparse.scoring.batch import BatchOptions, read_ids, recommend_users, score_candidates
from recsparse.scoring.model_folder import load_model, save_model
from recsparse.scoring.trained import TrainedModel
from tests.scoring.naive import random_model

MODEL = random_model(6, 5, seed=3)


class Listener:
    """Keeps what was done after each part."""

    def __init__(self, done):
        self.done = done

    @contextmanager
    def task(self, description, total=None):
        yield lambda done, note="": self.done.append(done)


def candidates(num_rows=10, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "place": pa.array(range(num_rows), pa.int64()),
            "item_id": pa.array(rng.integers(500, 505, num_rows)),
            "kind": pa.array(rng.choice(["a", "b"], num_rows)).dictionary_encode(),
            "user_id": pa.array(rng.integers(10, 16, num_rows), pa.int32()),
        }
    )


def written(tmp_path, table=None, name="candidates.parquet"):
    pq.write_table(candidates() if table is None else table, tmp_path / name)
    return tmp_path / name


def damaged(path):
    """Spoil the first pages of a Parquet file, and not its footer."""
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36
    path.write_bytes(content)
    return path


def with_scores(table):
    return table.append_column("score", pa.array(MODEL.score(table)))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed_after(monkeypatch, number):
    """Raise in place of the part after the first `number`, and return how often a part is made."""
    made = []
    for name in ("score", "recommend_batches"):
        original = getattr(TrainedModel, name)

        def counted(model, *args, original=original, **kwargs):
            if len(made) == number:
                raise KeyboardInterrupt
            made.append(args[0])
            return original(model, *args, **kwargs)

        monkeypatch.setattr(TrainedModel, name, counted)
    return made


@pytest.mark.parametrize("out", ["scores.parquet", "scores"])
@pytest.mark.parametrize("rows_per_part", [1, 4, 10, 99])
def test_candidates_keep_their_columns_and_their_order(tmp_path, out, rows_per_part):
    source, done = written(tmp_path), []
    options = BatchOptions(rows_per_part, reporter=Listener(done))
    assert score_candidates(MODEL, source, tmp_path / out, options) == 10
    table = pq.read_table(tmp_path / out)
    assert table.to_pydict() == with_scores(candidates()).to_pydict()
    assert table.schema.field("score").type == pa.float32()
    assert done == [*range(rows_per_part, 10, rows_per_part), 10]
    assert names(tmp_path) == ["candidates.parquet", out]


def test_a_folder_of_candidates_is_read_in_the_order_of_its_files(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(12):
        table = candidates(num_rows=number, seed=number)
        pq.write_table(table, tmp_path / "in" / f"{number:02d}.parquet", row_group_size=3)
    score_candidates(MODEL, tmp_path / "in", tmp_path / "out.parquet", BatchOptions(7))
    expected = [row for n in range(12) for row in with_scores(candidates(n, n)).to_pylist()]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected


def test_unknown_ids_have_null_for_a_score_where_null_is_asked_for(tmp_path):
    table = pa.table({"user_id": [10, 99], "item_id": [500, 500]})
    source, options = written(tmp_path, table), BatchOptions(on_unknown="null")
    score_candidates(MODEL, source, tmp_path / "out.parquet", options)
    scores = pq.read_table(tmp_path / "out.parquet")["score"]
    assert scores.to_pylist() == [MODEL.score(table[:1])[0], None]


def test_a_killed_job_goes_on_with_the_first_part_that_is_not_there(tmp_path, monkeypatch):
    source, options = written(tmp_path), BatchOptions(rows_per_part=3)
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            score_candidates(MODEL, source, tmp_path / "out", options)
    assert names(tmp_path) == ["candidates.parquet", "out.parts"]
    with monkeypatch.context() as patch:
        made = killed_after(patch, None)
        assert score_candidates(MODEL, source, tmp_path / "out", options) == 10
    assert [table["place"].to_pylist() for table in made] == [[6, 7, 8], [9]]
    assert pq.read_table(tmp_path / "out").to_pydict() == with_scores(candidates()).to_pydict()


def of_times(step):
    """Times of the cells of the model's history."""
    times = MODEL.history.astype(np.int64)
    times.data = np.arange(times.nnz) * step
    return replace(MODEL, times=times)


HEAVIER = MODEL.history * 2
OTHER_ITEMS = Vocabulary(pa.concat_arrays([MODEL.items.ids[1:], MODEL.items.ids[:1]]))
# What scores depend on, before and after the kill.
CHANGES = {
    "history": (MODEL, replace(MODEL, history=HEAVIER)),
    "times": (of_times(1), of_times(2)),
    "times that were not known": (MODEL, of_times(1)),
    "items": (MODEL, replace(MODEL, items=OTHER_ITEMS)),
    "weights": (MODEL, replace(MODEL, model=random_model(6, 5, seed=4).model)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["score", "recommend"])
def test_the_parts_of_another_model_are_made_anew(tmp_path, monkeypatch, kind, change):
    """Of a model or of histories that differ in anything that scores may depend on."""
    source, options = written(tmp_path), BatchOptions(3)

    def run(model):
        if kind == "score":
            return score_candidates(model, source, tmp_path / "out", options)
        return recommend_users(model, tmp_path / "out", 2, options=options)

    before, after = CHANGES[change]
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(before)
    made = killed_after(monkeypatch, None)
    run(after)
    assert sum(map(len, made)) == (10 if kind == "score" else 6)


@pytest.mark.parametrize("change", ["candidates", "rows", "on_unknown", "version"])
def test_the_parts_of_another_job_are_made_anew(tmp_path, monkeypatch, change):
    source = tmp_path / "candidates.parquet"
    pq.write_table(candidates(), source, compression="none")
    state = source.stat()
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            score_candidates(MODEL, source, tmp_path / "out", BatchOptions(3))
    if change == "candidates":
        # Another content of the same size and time.
        other = candidates().set_column(0, "place", pa.array(range(9, -1, -1), pa.int64()))
        pq.write_table(other, source, compression="none")
        os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert source.stat().st_size == state.st_size
    if change == "version":
        monkeypatch.setattr("recsparse.scoring.batch.version", lambda _: "0.0")
    options = BatchOptions(
        4 if change == "rows" else 3, on_unknown="null" if change == "on_unknown" else "error"
    )
    made = killed_after(monkeypatch, None)
    score_candidates(MODEL, source, tmp_path / "out", options)
    assert sum(table.num_rows for table in made) == 10
    scored = pq.read_table(tmp_path / "out")
    assert scored.to_pydict() == with_scores(pq.read_table(source)).to_pydict()


def test_a_model_that_was_written_and_read_again_goes_on_with_its_parts(tmp_path, monkeypatch):
    """Digests are of values, not of how they lie in memory or which integers hold places."""
    options, model = BatchOptions(3), Popularity(PopularityConfig()).fit(MODEL.history)
    model = replace(of_times(7), model=model)
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            recommend_users(model, tmp_path / "out", 2, options=options)
    save_model(model, tmp_path / "model")
    made = killed_after(monkeypatch, None)
    recommend_users(load_model(tmp_path / "model"), tmp_path / "out", 2, options=options)
    assert sum(map(len, made)) == 6 - 2


def test_a_column_of_scores_is_not_overwritten(tmp_path):
    source = written(tmp_path, with_scores(candidates()))
    with pytest.raises(SchemaError, match="must not have a column 'score' yet"):
        score_candidates(MODEL, source, tmp_path / "out.parquet")
    assert names(tmp_path) == ["candidates.parquet"]


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_candidates_without_an_id_column_are_refused(tmp_path, column):
    source = written(tmp_path, candidates().drop_columns(column))
    with pytest.raises(SchemaError, match=f"must have the column '{column}'"):
        score_candidates(MODEL, source, tmp_path / "out.parquet")
    assert names(tmp_path) == ["candidates.parquet"]


def test_candidates_without_rows_are_refused_and_leave_nothing(tmp_path):
    source = written(tmp_path, candidates(num_rows=0))
    with pytest.raises(InputError, match="the candidates must have rows"):
        score_candidates(MODEL, source, tmp_path / "out")
    assert names(tmp_path) == ["candidates.parquet"]


def test_unknown_ids_in_a_late_part_leave_nothing(tmp_path):
    table = pa.table({"user_id": [10, 11, 99], "item_id": [500, 500, 500]})
    with pytest.raises(UnknownIdError, match="the first is row 0: 99"):
        score_candidates(MODEL, written(tmp_path, table), tmp_path / "out", BatchOptions(1))
    assert names(tmp_path) == ["candidates.parquet"]


def test_damaged_pages_are_bad_input(tmp_path):
    source = damaged(written(tmp_path))
    with pytest.raises(InputError, match=r"candidates\.parquet must be a complete Parquet file"):
        score_candidates(MODEL, source, tmp_path / "out")
    assert names(tmp_path) == ["candidates.parquet"]


def test_no_candidates_at_all_are_told(tmp_path):
    with pytest.raises(MissingFileError, match="must be a Parquet or CSV file or folder"):
        score_candidates(MODEL, tmp_path / "nowhere", tmp_path / "out")


@pytest.mark.parametrize("out", ["out.parquet", "out"])
def test_a_disk_that_fills_up_leaves_the_old_output(tmp_path, monkeypatch, out):
    score_candidates(MODEL, written(tmp_path), tmp_path / out)
    again = BatchOptions(4, overwrite=True)
    source, original, calls = written(tmp_path, candidates(seed=1)), pq.write_table, []

    def full_at_the_second_part(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full_at_the_second_part)
        with pytest.raises(OutputError, match="more room than the disk has"):
            score_candidates(MODEL, source, tmp_path / out, again)
    assert pq.read_table(tmp_path / out).to_pydict() == with_scores(candidates()).to_pydict()
    made = killed_after(monkeypatch, None)
    score_candidates(MODEL, source, tmp_path / out, again)
    assert sum(table.num_rows for table in made) == 10 - 4
    expected = with_scores(candidates(seed=1))
    assert pq.read_table(tmp_path / out).to_pydict() == expected.to_pydict()


@given(st.integers(1, 7), st.integers(1, 20))
def test_lists_do_not_depend_on_the_size_of_the_parts(tmp_path_factory, k, rows_per_part):
    out = tmp_path_factory.mktemp("lists") / "lists.parquet"
    assert recommend_users(MODEL, out, k, options=BatchOptions(rows_per_part)) == 6
    assert pq.read_table(out).to_pydict() == MODEL.recommend(k=k).to_dict("list")


def test_only_the_users_asked_for_get_lists_and_strangers_none(tmp_path):
    done = []
    options = BatchOptions(rows_per_part=2, on_unknown="null", reporter=Listener(done))
    users = pa.array([12, 99, 10])
    assert recommend_users(MODEL, tmp_path / "lists", 2, users, options) == 3
    lists = pq.read_table(tmp_path / "lists")
    assert lists.to_pydict() == MODEL.recommend([12, 10], k=2).to_dict("list")
    assert lists.column_names == ["user_id", "item_id", "rank", "score"]
    assert done == [1, 2, 3]


def test_a_killed_recommendation_goes_on_where_it_stopped(tmp_path, monkeypatch):
    options = BatchOptions(rows_per_part=4)
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            recommend_users(MODEL, tmp_path / "out.parquet", 2, options=options)
    made = killed_after(monkeypatch, None)
    recommend_users(MODEL, tmp_path / "out.parquet", 2, options=options)
    assert [users.to_pylist() for users in made] == [[14, 15]]
    lists = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert lists == MODEL.recommend(k=2).to_dict("list")


def test_a_list_without_places_is_refused(tmp_path):
    with pytest.raises(InputError, match="k must be at least 1, but got 0"):
        recommend_users(MODEL, tmp_path / "out", 0)
    assert names(tmp_path) == []


def test_no_users_are_refused(tmp_path):
    with pytest.raises(InputError, match="needs at least one user"):
        recommend_users(MODEL, tmp_path / "out", 2, pa.array([], pa.int64()))
    assert names(tmp_path) == []


def test_strangers_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(UnknownIdError, match="99"):
        recommend_users(MODEL, tmp_path / "out", 1, pa.array([10, 99]), BatchOptions(1))
    assert names(tmp_path) == []


def test_ids_are_read_once_each_in_the_order_of_first_appearance(tmp_path):
    path = written(tmp_path, pa.table({"user_id": ["b", "a", "b"], "other": [1, 2, 3]}))
    assert read_ids(path, "user_id").to_pylist() == ["b", "a"]


def test_ids_of_a_file_without_the_column_or_with_damaged_pages_are_refused(tmp_path):
    path = damaged(written(tmp_path, candidates().select(["user_id"])))
    with pytest.raises(SchemaError, match="must have the column 'user'"):
        read_ids(path, "user")
    with pytest.raises(InputError, match=r"candidates\.parquet must be a complete Parquet file"):
        read_ids(path, "user_id")
