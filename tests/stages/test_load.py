from pathlib import Path

import pandas as pd
import pytest

import recsparse
from recsparse.errors import MissingFileError
from recsparse.stages.load import load, locate


def test_a_folder_is_its_own_place(tmp_path):
    assert locate(str(tmp_path / "model")) == tmp_path / "model"


def test_a_model_is_the_same_from_its_folder_and_from_mlflow(trained_folder, workplace):
    expected = load(trained_folder / "sparse_grid").recommend(k=3)
    registered = load("models:/shelf/1", store_folder=trained_folder)
    pd.testing.assert_frame_equal(registered.recommend(k=3), expected)


def test_the_environment_says_which_store_to_ask(trained_folder, workplace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained_folder / 'mlflow.db'}")
    local = locate("models:/shelf/1")
    assert local != Path("models:/shelf/1")
    assert (local / "model.toml").is_file()
    assert len(recsparse.load("models:/shelf/1").items) == 20


def test_a_model_that_is_not_there_is_told(workplace):
    with pytest.raises(MissingFileError, match="the model must be a folder"):
        load(workplace / "nowhere")
    with pytest.raises(MissingFileError, match="models:/shelf/7 must be a recsparse model"):
        load("models:/shelf/7", store_folder=workplace)
