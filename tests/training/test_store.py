import pytest

from recsparse.config import TrackingConfig
from recsparse.errors import MissingFileError
from recsparse.training.store import is_model_uri, local_uri, require_store, tracking_uri


def test_the_store_is_configured_or_from_the_environment_or_beside(workplace, monkeypatch):
    assert tracking_uri(TrackingConfig(), "deep") == f"sqlite:///{workplace}/deep/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment")
    assert tracking_uri(TrackingConfig(), "deep") == "http://environment"
    assert tracking_uri(TrackingConfig(uri="http://configured"), "deep") == "http://configured"


def test_a_store_in_a_file_must_be_there(tmp_path):
    with pytest.raises(MissingFileError, match=r"must be an MLflow store at .*mlflow\.db"):
        require_store(local_uri(tmp_path))
    (tmp_path / "mlflow.db").write_text("")
    require_store(local_uri(tmp_path))
    require_store("http://somewhere")


def test_addresses_of_mlflow_are_told_from_folders():
    assert is_model_uri("runs:/1/model")
    assert is_model_uri("models:/shelf@champion")
    assert is_model_uri("mlflow-artifacts:/1/model")
    assert not is_model_uri("demo/models")
    assert not is_model_uri("/models:/shelf")
