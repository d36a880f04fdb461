import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import recsparse as rs
from recsparse.config.toml_reader import load_config
from recsparse.errors import RecsparseError
from recsparse.scoring.model_folder import load_model
from recsparse.sparse.concatenate import cat
from recsparse.sparse.grid import Grid
from recsparse.sparse.positions import to_positions
from recsparse.sparse.sets import grid_of
from recsparse.sparse.tensor import SparseTensor, sparse_tensor


def test_the_public_names_are_those_of_the_defining_modules():
    assert rs.sparse_tensor is sparse_tensor
    assert rs.SparseTensor is SparseTensor
    assert rs.cat is cat
    assert rs.Grid is Grid
    assert rs.grid_of is grid_of
    assert rs.to_positions is to_positions
    assert rs.RecsparseError is RecsparseError
    assert rs.load_config is load_config


def test_every_public_name_is_there():
    from recsparse.stages.load import load

    assert rs.load is load
    assert {name for name in rs.__all__ if not hasattr(rs, name)} == set()


def test_a_name_that_the_package_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'recsparse' has no attribute 'nonsense'"):
        rs.nonsense  # noqa: B018


@pytest.mark.parametrize("module", ["recsparse", "recsparse.layers"])
def test_importing_the_core_imports_nothing_of_files_tracking_or_training(module):
    heavy = ["mlflow", "pyarrow", "pandas", "duckdb", "pytorch_lightning", "pydantic", "tensorflow"]
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_preparing_data_does_not_wait_for_torch():
    code = "import sys, recsparse.stages.prepare; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# What a job that scores from a folder has no use for, and what it would cost most of the start.
UNUSED_BY_SCORES = [
    "mlflow", "sqlalchemy", "matplotlib", "sklearn", "pytorch_lightning", "duckdb", "fsspec",
    "recsparse.datasets.dataset", "recsparse.datasets.features", "recsparse.stages.histories",
]  # fmt: skip


def modules_of(command, names):
    """Return which modules a fresh process has imported when a command has ended."""
    code = (
        "import sys; from recsparse.cli.main import app\n"
        f"try: app({command!r})\n"
        f"finally: print([name for name in {names} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_a_job_that_scores_from_a_folder_imports_neither_tracking_nor_training(
    trained_folder, workplace
):
    folder = str(trained_folder / "sparse_grid")
    known = load_model(folder)
    pairs = pa.table({"user_id": known.users.ids[:2], "item_id": known.items.ids[:2]})
    pq.write_table(pairs, "pairs.parquet")
    score = ["score", folder, "--candidates", "pairs.parquet", "--out", "scores.parquet"]
    assert modules_of([*score, "--quiet"], UNUSED_BY_SCORES) == "[]"
    lists = ["recommend", folder, "--out", "lists.parquet"]
    assert modules_of([*lists, "--quiet"], UNUSED_BY_SCORES) == "[]"
    assert pq.read_table("scores.parquet").num_rows == 2


def test_a_history_without_a_condition_does_not_wait_for_duckdb(trained_folder, workplace):
    folder = str(trained_folder / "sparse_grid")
    item = load_model(folder).items.ids[:1]
    pq.write_table(pa.table({"user_id": item, "item_id": item}), "log.parquet")
    lists = ["recommend", folder, "--history", "log.parquet", "--out", "lists.parquet", "--quiet"]
    assert modules_of(lists, ["duckdb", "recsparse.stages.histories"]) == (
        "['recsparse.stages.histories']"
    )


@pytest.mark.parametrize("command", [["--help"], ["--version"]])
def test_help_imports_neither_numbers_nor_settings(command):
    heavy = ["torch", "numpy", "pandas", "scipy", "pyarrow", "pydantic", *UNUSED_BY_SCORES]
    assert modules_of(command, heavy) == "[]"


def test_a_log_and_a_dataset_are_described_without_what_draws(small_log, small_dataset):
    unused = ["torch", "matplotlib", "sklearn", "mlflow"]
    assert modules_of(["describe", str(small_log / "log.parquet"), "--quiet"], unused) == "[]"
    assert modules_of(["describe", str(small_dataset), "--quiet"], unused) == "[]"


def test_settings_are_shown_without_numbers():
    assert modules_of(["config"], ["torch", "numpy", "pyarrow", *UNUSED_BY_SCORES]) == "[]"
