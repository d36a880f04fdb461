"""A job folds each user in once, whatever the order of its pairs and wherever it is interrupted."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.linear_models import EASEConfig, IALSConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import UnknownIdError
from recsparse.scoring import job_scores as module
from recsparse.scoring.batch import score_candidates
from recsparse.scoring.batch_job import BatchOptions
from recsparse.scoring.model_folder import load_model, save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory
from recsparse.testing.small_fits import NUM_ITEMS, NUM_USERS, fitted, log_of

IALS, EASE = IALSConfig(factors=4, iterations=2), EASEConfig()
OPTIONS = BatchOptions(rows_per_part=25)


def model_of(config):
    users, items = (Vocabulary(pa.array(range(100, 100 + n))) for n in (NUM_USERS, NUM_ITEMS))
    return TrainedModel(fitted(config), users, items, RowsInMemory(log_of()))


@pytest.fixture(params=[IALS, EASE], ids=lambda config: config.kind)
def trained(request, monkeypatch):
    monkeypatch.setattr(module, "_PAIRS_PER_GROUP", 30)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 40)
    return model_of(request.param)


def pairs(num_rows=200, strangers=True, seed=0):
    rng = np.random.default_rng(seed)
    more = 3 if strangers else 0
    return pa.table(
        {
            "user_id": rng.integers(100, 100 + NUM_USERS + more, num_rows),
            "item_id": rng.integers(100, 100 + NUM_ITEMS + more, num_rows),
        }
    )


@contextmanager
def folded_in(monkeypatch, trained):
    """Count how often each user's row is read by the model."""
    found, kind = [], type(trained.model)
    name = "user_vectors" if trained.scorer.is_by_vectors else "score_batch"
    original = getattr(kind, name)

    def counted(model, history, *more):
        found.append(history.shape[0])
        return original(model, history, *more)

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, counted)
        yield found


@pytest.mark.parametrize("on_unknown", ["null", "popularity"])
@pytest.mark.parametrize("order", ["random", "by user"])
def test_scores_are_those_of_all_pairs_together(trained, tmp_path, on_unknown, order):
    table = pairs()
    if order == "by user":
        table = table.sort_by("user_id")
    pq.write_table(table, tmp_path / "pairs.parquet")
    options = replace(OPTIONS, on_unknown=on_unknown)
    assert score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "out", options) == 200
    found = pq.read_table(tmp_path / "out")
    assert found.drop_columns("score") == table
    expected = trained.score(table, on_unknown)
    np.testing.assert_allclose(found["score"].to_numpy(), expected, rtol=1e-5, atol=1e-6)
    assert [path.name for path in tmp_path.iterdir() if ".parts" in path.name] == []


def test_each_user_is_folded_in_once(trained, tmp_path, monkeypatch):
    table = pairs(strangers=False)
    pq.write_table(table, tmp_path / "pairs.parquet")
    with folded_in(monkeypatch, trained) as found:
        score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "out", OPTIONS)
    with_rows = np.flatnonzero(np.diff(log_of().indptr)) + 100
    wanted = set(table["user_id"].to_pylist())
    if trained.scorer.is_by_vectors:
        wanted &= set(with_rows.tolist())
    assert sum(found) == len(wanted)


@pytest.mark.parametrize("share", [0, 0.2, 0.45, 0.7, 0.95])
def test_an_interrupted_job_ends_with_the_same_bytes(trained, tmp_path, monkeypatch, share):
    pq.write_table(pairs(), tmp_path / "pairs.parquet")
    options = replace(OPTIONS, on_unknown="popularity")
    original, written = module.PartedOutput._write, []

    def run(out, most):
        def write(output, path, table):
            if len(written) == most:
                raise KeyboardInterrupt
            written.append(path.name)
            return original(output, path, table)

        written.clear()
        with monkeypatch.context() as patch:
            patch.setattr(module.PartedOutput, "_write", write)
            score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / out, options)

    run("whole", None)
    with pytest.raises(KeyboardInterrupt):
        run("out", int(share * len(written)))
    again = model_of(trained.model.config)
    with folded_in(monkeypatch, again) as found:
        score_candidates(again, tmp_path / "pairs.parquet", tmp_path / "out", options)
    # Groups that were scored are not scored again.
    groups = sum(name.startswith("group") for name in written)
    if groups:
        assert sum(found) < NUM_USERS
    for part in sorted((tmp_path / "whole").iterdir()):
        assert part.read_bytes() == (tmp_path / "out" / part.name).read_bytes()


def test_a_damaged_group_is_scored_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PAIRS_PER_GROUP", 30)
    trained = model_of(EASE)
    pq.write_table(pairs(strangers=False), tmp_path / "pairs.parquet")
    score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "whole", OPTIONS)
    with monkeypatch.context() as patch:
        patch.setattr(module.PartedOutput, "write", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "out", OPTIONS)
    group = tmp_path / "out.parts" / "group-00000001.parquet"
    content = bytearray(group.read_bytes())
    content[4:30] = b"\xff" * 26
    group.write_bytes(content)
    score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "out", OPTIONS)
    assert pq.read_table(tmp_path / "out") == pq.read_table(tmp_path / "whole")


def test_unknown_ids_of_a_job_with_stored_vectors_are_counted_over_all_rows(tmp_path):
    save_model(model_of(IALS), tmp_path / "model")
    table = pa.table({"user_id": [101] * 60 + [7, 8], "item_id": [101] * 62})
    pq.write_table(table, tmp_path / "pairs.parquet")
    with pytest.raises(UnknownIdError, match="but 2 of 62 are not; the first is row 60: 7"):
        score_candidates(
            load_model(tmp_path / "model"), tmp_path / "pairs.parquet", tmp_path / "out", OPTIONS
        )
    assert not (tmp_path / "out.parts").exists()


def test_unknown_ids_are_found_before_anything_is_scored(trained, tmp_path, monkeypatch):
    pq.write_table(pairs(), tmp_path / "pairs.parquet")
    with (
        folded_in(monkeypatch, trained) as found,
        pytest.raises(UnknownIdError, match="user_id"),
    ):
        score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "out", OPTIONS)
    assert found == []
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.parquet"]


def test_users_with_stored_vectors_are_not_folded_in_and_ids_read_once(tmp_path, monkeypatch):
    save_model(model_of(IALS), tmp_path / "model")
    trained = load_model(tmp_path / "model")
    table = pairs(strangers=False)
    pq.write_table(table, tmp_path / "pairs.parquet")
    monkeypatch.setattr(module.JobScores, "_located", lambda scores: pytest.fail("read before"))
    with folded_in(monkeypatch, trained) as found:
        score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "out", OPTIONS)
    assert sum(found) == 0
    scores = pq.read_table(tmp_path / "out")["score"].to_numpy()
    np.testing.assert_allclose(scores, model_of(IALS).score(table), rtol=1e-5, atol=1e-6)


def test_of_users_with_a_new_history_alone_vectors_are_made(tmp_path, monkeypatch):
    save_model(model_of(IALS), tmp_path / "model")
    history = pa.table({"user_id": [103, 103, 110], "item_id": [100, 104, 101]})
    trained = load_model(tmp_path / "model").with_history(history)
    table = pairs(strangers=False)
    pq.write_table(table, tmp_path / "pairs.parquet")
    with folded_in(monkeypatch, trained) as found:
        score_candidates(trained, tmp_path / "pairs.parquet", tmp_path / "out", OPTIONS)
    assert sum(found) == 2
    expected = model_of(IALS).with_history(history).score(table)
    scores = pq.read_table(tmp_path / "out")["score"].to_numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
