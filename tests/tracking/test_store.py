import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from recsparse.config.config import TrackingConfig
from recsparse.errors import MissingFileError
from recsparse.tracking.store import (
    local_uri,
    require_store,
    store_file,
    tracking_uri,
)


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


@given(st.text("a ?#%&;:=@é'\"+2F", min_size=1, max_size=12).filter(lambda name: name.strip()))
def test_the_address_of_a_folder_of_any_name_leads_to_the_file_in_it(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp() / name
    uri = local_uri(folder)
    engine = create_engine(uri)
    opened, _ = engine.dialect.create_connect_args(engine.url)
    assert opened == [str(folder / "mlflow.db")]
    assert store_file(uri) == folder / "mlflow.db"


def test_stores_that_are_no_local_file_have_none():
    for uri in ("http://host", "sqlite://", "sqlite:///:memory:", "sqlite:no", "postgresql://a/b"):
        assert store_file(uri) is None
