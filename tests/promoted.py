"""Models on one dataset of which it is known who is better, in a store of their own."""

import shutil
from collections import namedtuple

import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.datasets.synthetic import synthetic_log
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from recsparse.tracking.store import local_uri
from tests.conftest import forget_mlflow

NAME, OVER = "shelf", "models:/shelf@champion"

Shop = namedtuple("Shop", ["folder", "dataset", "client"])


def build_shop(folder, empty_store):
    """Write the models: `ease` sees the groups that the log is made of, `popularity` does not.

    `popularity` is version 1 of `shelf`, `twin` the same model once more, `ease` the better one.
    """
    shutil.copy(empty_store, folder / "mlflow.db")
    pq.write_table(synthetic_log(300, 30, 3_000, seed=0).table, folder / "log.parquet")
    with pytest.MonkeyPatch.context() as patch:
        forget_mlflow(patch)
        prepare(folder / "log.parquet", folder / "dataset")
        kinds = {"popularity": "popularity", "twin": "popularity", "ease": "ease"}
        for name, kind in kinds.items():
            settings = [f"model.kind={kind}"]
            settings += ["tracking.register_as=shelf"] if name == "popularity" else []
            train(folder / "dataset", folder / name, load_config(None, settings))


def open_shop(built, place, monkeypatch):
    """Return the shop with a store that this test alone changes."""
    shutil.copy(built / "mlflow.db", place / "own.db")
    uri = f"sqlite:///{place / 'own.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert uri != local_uri(built)
    return Shop(built, built / "dataset", MlflowClient(uri))


def champion(shop):
    """The version that has the alias; None where none has."""
    found = shop.client.get_registered_model(NAME).aliases.get("champion")
    return None if found is None else str(found)


def crown(shop, version="1"):
    shop.client.set_registered_model_alias(NAME, "champion", version)
