"""Sparse tensors and layers in files, copies and other processes."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from torch.utils.data import DataLoader

from recsparse.errors import InputError
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.sparse.concatenate import cat
from recsparse.sparse.grid import Grid
from recsparse.sparse.tensor import SparseTensor
from tests.random_grids import random_tensor


def through_a_file(value, folder):
    torch.save(value, folder / "value.pt")
    return torch.load(folder / "value.pt", weights_only=True)


WAYS = {
    "file": through_a_file,
    "pickle": lambda value, _: pickle.loads(pickle.dumps(value)),
    "copy": lambda value, _: copy.copy(value),
    "deepcopy": lambda value, _: copy.deepcopy(value),
}


def assert_equal(found, expected):
    assert type(found) is SparseTensor
    assert found.grid.same_cells(expected.grid)
    assert torch.equal(found.feats, expected.feats)
    assert found.feats.dtype == expected.feats.dtype


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("density", [0.0, 0.5])
def test_a_sparse_tensor_comes_back_as_it_was(way, dtype, density, tmp_path):
    x = random_tensor((4, 5), 2, 3, density, dtype=dtype)
    assert_equal(WAYS[way](x, tmp_path), x)
    assert WAYS[way](x.grid, tmp_path).same_cells(x.grid)


@pytest.mark.parametrize("way", WAYS)
def test_tensors_on_one_grid_stay_on_one_and_results_among_others_come_back(way, tmp_path):
    x = random_tensor((4, 5), channels=2)
    found = WAYS[way]({"x": x, "y": x.with_feats(2 * x.feats), "step": 3}, tmp_path)
    assert_equal(found["x"], x)
    assert found["x"].grid is found["y"].grid
    assert found["step"] == 3


def test_kernel_maps_are_no_part_of_a_file(tmp_path):
    x = random_tensor((30, 30), channels=1)
    torch.save(x, tmp_path / "first.pt")
    layer = SubmanifoldConv2d(1, 1, 3).double()
    layer(x)
    torch.save(x, tmp_path / "other.pt")
    assert (tmp_path / "other.pt").stat().st_size == (tmp_path / "first.pt").stat().st_size
    found = torch.load(tmp_path / "other.pt", weights_only=True)
    torch.testing.assert_close(layer(found).feats, layer(x).feats)


def test_gradients_are_still_wanted(tmp_path):
    x = random_tensor((4, 5))
    found = through_a_file(x.with_feats(x.feats.requires_grad_()), tmp_path)
    assert found.feats.requires_grad


@pytest.mark.parametrize(
    "imports", ["import torch, recsparse", "from recsparse.layers import SparseReLU; import torch"]
)
def test_a_process_that_knows_torch_and_the_package_reads_the_file(imports, tmp_path):
    torch.save(random_tensor((4, 5)), tmp_path / "x.pt")
    code = f"{imports}; print(torch.load({str(tmp_path / 'x.pt')!r}, weights_only=True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("SparseTensor(Grid(")


def test_a_file_of_cells_out_of_order_is_refused(tmp_path):
    grid = Grid(torch.tensor([[0, 2], [0, 1]]), (4,), 1, trusted=True)
    torch.save(SparseTensor(grid, torch.ones(2, 1)), tmp_path / "x.pt")
    with pytest.raises(InputError, match="must be sorted"):
        torch.load(tmp_path / "x.pt", weights_only=True)


def test_workers_load_batches_of_sparse_tensors():
    data = [random_tensor((4, 5), seed=seed, dtype=torch.float32) for seed in range(6)]
    batches = list(DataLoader(data, batch_size=3, num_workers=2, collate_fn=cat))
    for number, found in enumerate(batches):
        assert_equal(found, cat(data[3 * number : 3 * number + 3]))
