"""The notebook runs from its first cell to its last on the runs of a small job."""

import os
from pathlib import Path

import nbformat
import pyarrow.parquet as pq
import pytest
from nbclient import NotebookClient

from recsparse.config.toml_reader import load_config
from recsparse.datasets.synthetic import synthetic_log
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from recsparse.stages.tune import tune

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "experiments.ipynb"
SETTINGS = [
    "tracking.experiment=recsparse-demo", "training.epochs=2", "model.kind=sparse_grid",
    "model.factors=4",
]  # fmt: skip


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A folder like the demo's, with two models."""
    log = synthetic_log(num_users=60, num_items=30, num_rows=900, seed=0)
    pq.write_table(log.table, tmp_path / "log.parquet")
    prepare(tmp_path / "log.parquet", tmp_path / "dataset")
    ours = load_config(overrides=SETTINGS)
    popularity = load_config(overrides=[SETTINGS[0], "model.kind=popularity"])
    for kind, config in (("sparse_grid", ours), ("popularity", popularity)):
        tune(tmp_path / "dataset", config, tmp_path / f"{kind}.toml", space={})
        train(tmp_path / "dataset", tmp_path / kind, config)
    models = [tmp_path / "sparse_grid", tmp_path / "popularity"]
    evaluate(models, tmp_path / "dataset", tmp_path / "report", ours)
    return tmp_path


def test_the_notebook_plots_the_runs_and_recommends(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSPARSE_DEMO", str(job))
    monkeypatch.setenv("PYTHONPATH", os.fspath(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(job)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    shown = outputs[-1]["data"]["text/plain"]
    assert all(column in shown for column in ("user_id", "item_id", "rank", "score"))


def test_the_notebook_is_committed_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert cells
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
