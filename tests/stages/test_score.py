import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import SchemaError, UnknownIdError
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.parted_output import PartedOutput
from recsparse.stages.score import RecommendOptions, recommend, score
from tests.row_frames import all_rows

PAIRS = pd.DataFrame({"user_id": [3, 0, 3], "note": ["a", "b", "c"], "item_id": [1, 2, 0]})


@pytest.fixture
def model(trained_folder):
    return trained_folder / "sparse_grid"


@pytest.fixture
def candidates(workplace):
    PAIRS.to_parquet("candidates.parquet", index=False)
    return workplace / "candidates.parquet"


def weighed_rows(dataset):
    return all_rows(load_dataset(dataset)).select(["user_id", "item_id", "weight"])


def test_candidates_get_the_scores_of_the_model(model, candidates, workplace):
    assert score(model, candidates, "scores.parquet") == 3
    expected = PAIRS.assign(score=load_model(model).score(PAIRS))
    pd.testing.assert_frame_equal(pd.read_parquet("scores.parquet"), expected)


def test_a_model_of_mlflow_scores_too(trained_folder, candidates, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained_folder / 'mlflow.db'}")
    assert score("models:/shelf/1", candidates, "scores") == 3
    expected = load_model(trained_folder / "sparse_grid").score(PAIRS)
    assert pd.read_parquet("scores")["score"].tolist() == expected.tolist()


def test_a_dataset_adds_what_users_did_after_the_training_rows(
    model, candidates, small_dataset, workplace
):
    score(model, candidates, "scores.parquet", small_dataset)
    knows_more = load_model(model).with_history(weighed_rows(small_dataset))
    found = pd.read_parquet("scores.parquet")["score"].tolist()
    assert found == knows_more.score(PAIRS).tolist()
    assert found != load_model(model).score(PAIRS).tolist()


def test_unknown_ids_are_refused_or_left_empty(model, workplace):
    PAIRS.assign(user_id=[0, 999, 1]).to_parquet("candidates.parquet")
    with pytest.raises(UnknownIdError, match="the first is row 1: 999"):
        score(model, "candidates.parquet", "scores.parquet")
    score(model, "candidates.parquet", "scores.parquet", on_unknown="null")
    assert pd.read_parquet("scores.parquet")["score"].isna().tolist() == [False, True, False]


def test_every_known_user_gets_a_list(model, workplace):
    assert recommend(model, "lists.parquet", RecommendOptions(k=3)) == 40
    pd.testing.assert_frame_equal(
        pd.read_parquet("lists.parquet"), load_model(model).recommend(k=3)
    )


def test_the_users_of_a_file_get_lists_and_nothing_of_the_dataset_is_in_them(
    model, small_dataset, workplace
):
    pq.write_table(pa.table({"user_id": [7, 2, 7]}), "users.parquet")
    options = RecommendOptions(k=20, users="users.parquet", dataset=small_dataset)
    assert recommend(model, "lists.parquet", options) == 2
    lists = pd.read_parquet("lists.parquet")
    assert lists["user_id"].unique().tolist() == [7, 2]
    seen = weighed_rows(small_dataset).to_pandas()
    for user in (7, 2):
        listed = set(lists[lists["user_id"] == user]["item_id"])
        assert listed == set(range(20)) - set(seen[seen["user_id"] == user]["item_id"])


def test_the_users_of_a_history_get_lists_though_the_model_never_saw_them(model, workplace):
    log = pa.table({"who": [901, 900, 900], "item_id": [4, 5, 6]})
    pq.write_table(log, "history.parquet")
    options = RecommendOptions(k=4, history="history.parquet", log=LogConfig(user_column="who"))
    assert recommend(model, "lists.parquet", options) == 2
    history = pd.DataFrame({"user_id": [901, 900, 900], "item_id": [4, 5, 6]})
    expected = load_model(model).recommend(history=history, k=4)
    pd.testing.assert_frame_equal(pd.read_parquet("lists.parquet"), expected)
    with pytest.raises(SchemaError, match="must have the column 'user_id'"):
        recommend(model, "lists.parquet", RecommendOptions(history="history.parquet"))


def test_users_of_a_history_may_be_chosen(model, workplace):
    pq.write_table(pa.table({"user_id": [900, 901], "item_id": [5, 6]}), "history.parquet")
    pq.write_table(pa.table({"user_id": [901]}), "users.parquet")
    options = RecommendOptions(k=1, users="users.parquet", history="history.parquet")
    assert recommend(model, "lists.parquet", options) == 1
    assert pd.read_parquet("lists.parquet")["user_id"].tolist() == [901]


def test_a_history_that_has_changed_is_another_job(model, workplace, monkeypatch):
    options = RecommendOptions(history="history.parquet")
    pq.write_table(pa.table({"user_id": [900], "item_id": [5]}), "history.parquet")
    with monkeypatch.context() as patch:
        patch.setattr(PartedOutput, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            recommend(model, "lists.parquet", options)
    assert (workplace / "lists.parquet.parts" / "part-00000000.parquet").is_file()
    pq.write_table(pa.table({"user_id": [900], "item_id": [6]}), "history.parquet")
    recommend(model, "lists.parquet", options)
    assert set(range(20)) - set(pd.read_parquet("lists.parquet")["item_id"]) == {6}


def killed(output):
    raise KeyboardInterrupt
