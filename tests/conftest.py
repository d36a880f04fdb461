"""Fixtures shared by all tests."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import settings

from tests import shape_checks
from tests.public_data import PublicData

shape_checks.install()

# Machines differ in speed; a slow example is no failure.
settings.register_profile("recsparse", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("recsparse")
# Test processes run side by side; threads that wait for a core of their own cost more than they do.
torch.set_num_threads(1)
# torch's own keeps a text of the whole stack for each kind of device that is absent, which takes
# longer than most of what the tests seed by it.
if not torch.cuda.is_available():
    torch.manual_seed = torch.default_generator.manual_seed


@pytest.fixture(scope="session")
def real_data() -> PublicData:
    """The public data sets, or a skip that says how to give them."""
    return PublicData.of_environment()


@pytest.fixture
def unchecked_types(monkeypatch) -> None:
    """Switch off the check of types and shapes, which users do not have either.

    What recsparse says itself of such an argument is hidden behind that check.
    """
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="module", params=["tiled", "native"])
def conv_path(request) -> Iterator[str]:
    """Run a test by torch operations alone and, where they run, by the compiled kernels.

    Of module scope, since hypothesis refuses fixtures that are made anew for each test.
    """
    from recsparse.sparse import native

    with pytest.MonkeyPatch.context() as patch:
        if request.param == "tiled":
            patch.setenv("RECSPARSE_KERNELS", "off")
        native.kernels.cache_clear()
        if request.param == "native" and native.kernels().library is None:
            pytest.skip(f"no compiled kernels: {native.kernels().reason}")
        yield request.param
    native.kernels.cache_clear()


# Settings of the network that make a training take a moment.
SMALL_NETWORK = (
    "model.kind=sparse_grid", "model.factors=4", "model.hidden=8", "model.item_iterations=1",
    "training.epochs=2",
)  # fmt: skip

# The fixtures below import recsparse themselves: the run-time checks of shapes are set up only
# after this file is read.


@pytest.fixture(scope="session")
def small_log(tmp_path_factory) -> Path:
    """A folder with `log.parquet` and `items.parquet`: 40 users, 20 items, 400 rows."""
    from recsparse.datasets.synthetic import synthetic_log

    folder, log = tmp_path_factory.mktemp("log"), synthetic_log(40, 20, 400, seed=0)
    pq.write_table(log.table, folder / "log.parquet")
    pq.write_table(log.items, folder / "items.parquet")
    return folder


@pytest.fixture(scope="session")
def small_dataset(small_log, tmp_path_factory) -> Path:
    """The dataset folder of `small_log`."""
    from recsparse.stages.prepare import prepare

    out = tmp_path_factory.mktemp("dataset") / "dataset"
    prepare(small_log / "log.parquet", out, small_log / "items.parquet")
    return out


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """An MLflow store without runs; making one takes a second, copying one does not."""
    from recsparse.config.config import TrackingConfig
    from recsparse.tracking.open_run import start_run

    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        forget_mlflow(patch)
        with start_run(TrackingConfig(experiment="template"), folder, "first"):
            pass
    return folder / "mlflow.db"


@pytest.fixture
def workplace(tmp_path, monkeypatch, empty_store) -> Path:
    """An empty current folder with an MLflow store; nothing about MLflow in the environment."""
    forget_mlflow(monkeypatch)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def forget_mlflow(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def trained_folder(small_dataset, tmp_path_factory, empty_store) -> Path:
    """A folder with the models `popularity` and `sparse_grid`, the latter registered as `shelf`."""
    from recsparse.config.toml_reader import load_config
    from recsparse.stages.train import train

    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        forget_mlflow(patch)
        train(small_dataset, folder / "popularity", load_config(None, ["model.kind=popularity"]))
        settings = [*SMALL_NETWORK, "tracking.register_as=shelf"]
        train(small_dataset, folder / "sparse_grid", load_config(None, settings))
    return folder


@pytest.fixture
def s3(monkeypatch) -> Iterator[str]:
    """A stand-in for S3: the settings that an address of its buckets ends with."""
    server = pytest.importorskip("moto.server", reason="no stand-in for S3: pip install moto[s3]")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    running.start()
    yield f"endpoint_override=127.0.0.1:{port}&scheme=http&allow_bucket_creation=true"
    running.stop()
