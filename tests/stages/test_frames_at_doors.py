"""Frames of pandas, Polars and Arrow go in and out of the stages, as files do."""

import pandas as pd
import pyarrow as pa
import pytest

import recsparse
from recsparse.config.toml_reader import load_config
from recsparse.datasets.frames import to_arrow
from recsparse.errors import InputError
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


def test_a_frame_may_be_scored_into_a_file_and_a_file_not_into_nothing(model, tmp_path):
    assert recsparse.score(model, ROWS.head(5), tmp_path / "scores.parquet") == 5
    with pytest.raises(InputError, match="candidates must be a frame where nothing is written"):
        recsparse.score(model, tmp_path / "scores.parquet")


def test_scores_of_a_frame_are_evaluated_and_a_frame_is_described(model):
    scored = recsparse.score(model, ROWS)
    result = evaluate_file(scored, model.parent / "data")
    assert 0 <= result.mean()["recall@20"] <= 1
    assert recsparse.describe(ROWS)["source"]["kind"] == "log"


def test_what_stages_return_tells_what_it_is(model):
    data = recsparse.prepare(ROWS, model.parent / "shown")
    assert repr(data).startswith("<Dataset of 8 users × 8 items: rows for training ")
    assert repr(recsparse.load(model)) == "<TrainedModel popularity of 8 users × 8 items>"
    assert "ndcg@10" in str(recsparse.evaluate([model], model.parent / "data"))
