"""Frames of pandas, Polars and Arrow go in and out of the stages, as files do."""

import tempfile

import pandas as pd
import pyarrow as pa
import pytest

import recsparse
from recsparse.config.toml_reader import load_config
from recsparse.datasets.frames import to_arrow
from recsparse.errors import OutputError, SchemaError
from recsparse.stages.evaluate_file import evaluate_file
from recsparse.stages.score import HistoryOptions, RecommendOptions

ROWS = pd.DataFrame(
    [(user, item) for user in range(1, 9) for item in range(1, 9) if (user + item) % 3],
    columns=["user_id", "item_id"],
)
LIBRARIES = ["pandas", "polars", "pyarrow"]


def made(library, frame):
    if library == "polars":
        return pytest.importorskip("polars").from_pandas(frame)
    return frame if library == "pandas" else pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory, empty_store):
    """A folder with a dataset made of a frame, and a model of it."""
    folder = tmp_path_factory.mktemp("frames")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        recsparse.prepare(ROWS, folder / "data")
        config = load_config(overrides=["model.kind=popularity"])
        result = recsparse.train(folder / "data", folder / "model", config)
        assert str(result).startswith(f"popularity in {folder / 'model'}, fitted in ")
    return folder / "model"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_dataset_of_a_frame_is_that_of_a_file(library, tmp_path):
    ROWS.to_parquet(tmp_path / "log.parquet", index=False)
    expected = recsparse.prepare(tmp_path / "log.parquet", tmp_path / "from_file")
    items = pd.DataFrame({"item_id": range(1, 9), "title": [f"title {n}" for n in range(1, 9)]})
    found = recsparse.prepare(
        made(library, ROWS), tmp_path / "from_frame", items=made(library, items)
    )
    assert found.users.ids.equals(expected.users.ids)
    assert found.train_matrix().toarray().tolist() == expected.train_matrix().toarray().tolist()


@pytest.mark.parametrize("library", LIBRARIES)
def test_scores_and_lists_come_in_the_library_of_the_frame(library, model):
    known = recsparse.load(model)
    pairs = made(library, ROWS.head(5))
    scored = recsparse.score(model, pairs)
    assert type(scored) is type(pairs)
    assert to_arrow(scored)["score"].to_pylist() == known.score(ROWS.head(5)).tolist()
    users = made(library, ROWS[["user_id"]].head(9))
    lists = recsparse.recommend(model, users=users, k=2)
    assert type(lists) is type(pairs)
    expected = known.recommend(ROWS["user_id"].head(9).unique(), 2)
    assert to_arrow(lists)["item_id"].to_pylist() == expected["item_id"].tolist()


def test_users_may_be_named_by_a_list_and_histories_by_a_frame(model):
    lists = recsparse.recommend(model, users=[1, 2], k=3)
    assert lists["user_id"].unique().tolist() == [1, 2]
    history = pd.DataFrame({"user_id": [99, 99], "item_id": [1, 2]})
    fresh = recsparse.recommend(model, options=RecommendOptions(k=3, history=history))
    assert fresh["user_id"].unique().tolist() == [99]
    start = HistoryOptions(history=history)
    pairs = pd.DataFrame({"user_id": [99], "item_id": [3]})
    assert recsparse.score(model, pairs, start=start)["score"].notna().all()


def test_files_and_frames_may_be_scored_into_files_and_frames(model, tmp_path):
    ROWS.head(5).to_parquet(tmp_path / "five.parquet", index=False)
    expected = recsparse.score(model, ROWS.head(5))
    of_files = recsparse.score(model, tmp_path / "five.parquet")
    assert isinstance(of_files, pd.DataFrame)
    assert of_files.equals(expected)
    assert recsparse.score(model, ROWS.head(5), tmp_path / "scores.parquet") == 5
    assert pd.read_parquet(tmp_path / "scores.parquet").equals(expected)
    both = [tmp_path / "five.parquet", made("pyarrow", ROWS.head(5))]
    assert recsparse.score(model, both).equals(pd.concat([expected] * 2, ignore_index=True))


def test_users_may_be_named_by_a_file(model, tmp_path):
    pd.DataFrame({"user_id": [2, 1, 2]}).to_parquet(tmp_path / "users.parquet")
    expected = recsparse.recommend(model, users=[2, 1], k=2)
    assert recsparse.recommend(model, users=tmp_path / "users.parquet", k=2).equals(expected)
    options = RecommendOptions(k=2, users=[tmp_path / "users.parquet"])
    assert recsparse.recommend(model, options=options).equals(expected)
    options = RecommendOptions(k=2, users=pd.DataFrame({"user_id": [2, 1]}))
    recsparse.recommend(model, tmp_path / "lists.parquet", options)
    assert pd.read_parquet(tmp_path / "lists.parquet").equals(expected)


@pytest.mark.parametrize("library", LIBRARIES)
def test_lists_come_in_the_library_of_the_history_where_no_users_are_named(library, model):
    history = made(library, pd.DataFrame({"user_id": [99], "item_id": [1]}))
    lists = recsparse.recommend(model, options=RecommendOptions(k=1, history=history))
    assert type(lists) is type(history)


def test_scores_of_the_same_frame_are_those_of_the_same_job(model, tmp_path):
    out = tmp_path / "scores.parquet"
    recsparse.score(model, ROWS.head(5), out)
    assert recsparse.score(model, ROWS.head(5).copy(), out, overwrite=False) == 5
    with pytest.raises(OutputError, match="of another job"):
        recsparse.score(model, ROWS.head(4), out, overwrite=False)


def test_scores_of_a_frame_are_evaluated_and_a_frame_is_described(model):
    scored = recsparse.score(model, ROWS)
    result = evaluate_file(scored, model.parent / "data")
    assert 0 <= result.mean()["recall@20"] <= 1
    assert recsparse.describe(ROWS)["source"] == {"kind": "log", "path": "the frame given as paths"}


def test_what_stages_return_tells_what_it_is(model):
    data = recsparse.prepare(ROWS, model.parent / "shown")
    assert repr(data).startswith("<Dataset of 8 users × 8 items: rows for training ")
    assert repr(recsparse.load(model)) == "<TrainedModel popularity of 8 users × 8 items>"
    assert "ndcg@10" in str(recsparse.evaluate([model], model.parent / "data"))


WRONG = pd.DataFrame({"userid": [1, 2], "item_id": [1, 2], "score": [0.5, 0.25]})


def described(model, table, _):
    return recsparse.describe(table)


def prepared(model, table, folder):
    return recsparse.prepare(table, folder / "out")


def scored(model, table, folder):
    return recsparse.score(model, table, folder / "scores.parquet")


def scored_in_memory(model, table, _):
    return recsparse.score(model, table)


def listed(model, table, _):
    return recsparse.recommend(model, options=RecommendOptions(users=table))


def started(model, table, _):
    return recsparse.score(model, ROWS, start=HistoryOptions(history=table))


def evaluated(model, table, _):
    return evaluate_file(table, model.parent / "data")


DOORS = {
    "paths": described, "logs": prepared, "candidates": scored,
    "candidates in memory": scored_in_memory, "users": listed, "history": started,
    "scored": evaluated,
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_without_a_column_is_named_as_a_file_is(door, library, model, tmp_path):
    WRONG.to_parquet(tmp_path / "wrong.parquet", index=False)
    with pytest.raises(SchemaError) as of_file:
        DOORS[door](model, tmp_path / "wrong.parquet", tmp_path)
    with pytest.raises(SchemaError) as of_frame:
        DOORS[door](model, made(library, WRONG), tmp_path)
    name = f"the frame given as {door.split()[0]}"
    assert str(of_frame.value) == str(of_file.value).replace(str(tmp_path / "wrong.parquet"), name)
    assert name in str(of_frame.value)


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_has_scores_already_is_refused_as_a_file_is(library, model, tmp_path):
    pairs = ROWS.head(3).assign(score=0.0)
    for out in (None, tmp_path / "scores.parquet"):
        with pytest.raises(SchemaError, match="given as candidates must not have a column 'score'"):
            recsparse.score(model, made(library, pairs), out)


def test_a_history_without_times_is_warned_of_by_the_name_of_its_frame(model, tmp_path, caplog):
    config = load_config(overrides=["model.kind=next_item_ridge"])
    recsparse.prepare(ROWS.assign(timestamp=range(len(ROWS))), tmp_path / "data")
    recsparse.train(tmp_path / "data", tmp_path / "model", config)
    caplog.clear()
    recsparse.score(tmp_path / "model", ROWS.head(5), start=HistoryOptions(history=ROWS))
    assert "no row of the history the frame given as history has a time" in caplog.text


def test_no_temporary_file_is_left(model, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    recsparse.describe(ROWS)
    recsparse.prepare(ROWS, tmp_path / "data")
    recsparse.score(model, ROWS, tmp_path / "scores.parquet", start=HistoryOptions(history=ROWS))
    recsparse.recommend(model, options=RecommendOptions(users=ROWS[["user_id"]]))
    evaluate_file(recsparse.score(model, ROWS), model.parent / "data")
    with pytest.raises(SchemaError):
        recsparse.prepare(WRONG, tmp_path / "data")
    assert [*(tmp_path / "temporary").iterdir()] == []
