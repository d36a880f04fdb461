"""The notebooks run from their first cells to their last, with small sizes and as they are."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from recsparse.datasets.synthetic import synthetic_log
from tests.public_data import PublicData

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
QUICK = ["training.epochs=1", "model.parts=[{kind='ease'}, {kind='item_knn'}]"]
QUICK_READER = ["training.epochs=1", "model.parts=[{kind='ease'}, {kind='content_knn'}]"]


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / name, as_version=4)


def run(name: str, folder: Path, parameters: Mapping[str, Any], seconds: int) -> list[Any]:
    """Return the outputs of all cells, with some parameters in the place of the notebook's own."""
    notebook = read(name)
    (place,) = (
        number
        for number, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", [])
    )
    values = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(values))
    resources = {"metadata": {"path": os.fspath(folder)}}
    NotebookClient(notebook, timeout=seconds, resources=resources).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(outputs: list[Any]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


def text(output: Any) -> str:
    return str(output["data"]["text/plain"])


@pytest.fixture(autouse=True)
def _import_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.fspath(FOLDER.parent))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Tables like those that `fetch` leaves."""
    log = synthetic_log(num_users=60, num_items=30, num_rows=900, seed=0)
    folder = tmp_path / "source"
    folder.mkdir()
    log.table.to_pandas().to_parquet(folder / "interactions.parquet")
    log.items.to_pandas().to_parquet(folder / "items.parquet")
    return folder


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_committed_without_outputs(name: str) -> None:
    cells = read(name).cells
    assert cells
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


def test_the_first_model_with_small_sizes(source: Path, tmp_path: Path) -> None:
    sizes = {"source": str(source), "default": QUICK}
    outputs = run("01_first_model.ipynb", tmp_path, sizes, 120)
    assert pictures(outputs) == 3
    assert "test_ndcg_at_10" in text(outputs[-1])
    assert sum("because_1" in text(output) for output in outputs if "data" in output) == 1


def test_sparse_convolution_with_small_sizes(tmp_path: Path) -> None:
    outputs = run("02_sparse_convolution.ipynb", tmp_path, {"epochs": 1, "images_read": 200}, 120)
    assert pictures(outputs) == 6
    # A user had events on days 2, 3 and 4.
    assert "user 1, day 4: 3 events in three days" in text(outputs[-1])


def test_comparing_experiments_with_small_sizes(source: Path, tmp_path: Path) -> None:
    network = ["model.kind=mult_vae", "training.epochs=2"]
    sizes = {"source": str(source), "network": network, "trials": 2, "least": 0.0}
    outputs = run("03_compare_experiments.ipynb", tmp_path, sizes, 120)
    assert pictures(outputs) == 6
    assert all(column in text(outputs[-1]) for column in ("user_id", "item_id", "rank", "score"))
    assert "ease is " in text(next(output for output in outputs if "data" in output))


def test_new_items_with_small_sizes(tmp_path: Path) -> None:
    sizes = {"num_users": 120, "num_items": 80, "num_rows": 2400, "default": QUICK_READER}
    outputs = run("04_new_items.ipynb", tmp_path, sizes, 120)
    assert pictures(outputs) == 2
    assert "title of similar_item_id" in text(outputs[-1])


@pytest.fixture
def films(real_data: PublicData, tmp_path: Path) -> Path:
    """MovieLens-100K with the columns that `fetch` leaves as well."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name, columns in {
        "interactions": ["user_id", "item_id", "rating", "timestamp"],
        "items": ["item_id", "title"],
    }.items():
        table = pd.read_parquet(real_data / f"movielens-100k/{name}.parquet")
        table[columns].to_parquet(folder / f"{name}.parquet")
    return folder


@pytest.mark.slow
def test_the_first_model_whole(films: Path, tmp_path: Path) -> None:
    outputs = run("01_first_model.ipynb", tmp_path, {"source": str(films)}, 600)
    assert pictures(outputs) == 3


@pytest.mark.slow
def test_comparing_experiments_whole(films: Path, tmp_path: Path) -> None:
    outputs = run("03_compare_experiments.ipynb", tmp_path, {"source": str(films)}, 600)
    assert pictures(outputs) == 6


@pytest.mark.slow
def test_sparse_convolution_whole(tmp_path: Path) -> None:
    outputs = run("02_sparse_convolution.ipynb", tmp_path, {}, 600)
    assert pictures(outputs) == 6


@pytest.mark.slow
def test_new_items_whole(tmp_path: Path) -> None:
    assert pictures(run("04_new_items.ipynb", tmp_path, {}, 600)) == 2
