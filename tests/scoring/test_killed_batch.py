"""Jobs that were killed resume from the parts that are there, if these are of the same job."""

import errno
import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.linear_models import PopularityConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import OutputError
from recsparse.models.linear.popularity import Popularity
from recsparse.scoring.batch import score_candidates
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.list_jobs import recommend_users
from recsparse.scoring.model_folder import load_model, save_model
from recsparse.scoring.user_rows import RowsInMemory
from tests.scoring.candidates import MODEL, candidates, killed_after, names, with_scores, written
from tests.scoring.naive import random_model


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
    return replace(MODEL, rows=RowsInMemory(MODEL.history, times))


HEAVIER = MODEL.history * 2
OTHER_ITEMS = Vocabulary(pa.concat_arrays([MODEL.items.ids[1:], MODEL.items.ids[:1]]))
# What scores depend on, before and after the kill.
CHANGES = {
    "history": (MODEL, replace(MODEL, rows=RowsInMemory(HEAVIER))),
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
        monkeypatch.setattr("recsparse.scoring.batch_job.version", lambda _: "0.0")
    options = BatchOptions(
        4 if change == "rows" else 3, on_unknown="null" if change == "on_unknown" else "error"
    )
    made = killed_after(monkeypatch, None)
    score_candidates(MODEL, source, tmp_path / "out", options)
    assert sum(table.num_rows for table in made) == 10
    scored = pq.read_table(tmp_path / "out")
    assert scored.to_pydict() == with_scores(pq.read_table(source)).to_pydict()


def test_a_model_that_was_written_and_read_again_goes_on_with_its_parts(tmp_path, monkeypatch):
    """Wherever its folder lies by then."""
    options, model = BatchOptions(3), Popularity(PopularityConfig()).fit(MODEL.history)
    save_model(replace(of_times(7), model=model), tmp_path / "model")
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            recommend_users(load_model(tmp_path / "model"), tmp_path / "out", 2, options=options)
    (tmp_path / "model").rename(tmp_path / "moved")
    made = killed_after(monkeypatch, None)
    recommend_users(load_model(tmp_path / "moved"), tmp_path / "out", 2, options=options)
    assert sum(map(len, made)) == 6 - 2


@pytest.mark.parametrize("out", ["out.parquet", "out"])
def test_a_disk_that_fills_up_leaves_the_old_output(tmp_path, monkeypatch, out):
    score_candidates(MODEL, written(tmp_path), tmp_path / out)
    again = BatchOptions(4, overwrite=True)
    source, original, calls = written(tmp_path, candidates(seed=1)), pq.write_table, []

    def full_at_the_second_part(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:  # behind the scores of a group of users, and the first part
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
