import subprocess
import sys

import pytest

import recsparse as rs
from recsparse.config.toml_reader import load_config
from recsparse.errors import RecsparseError
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
