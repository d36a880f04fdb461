"""Networks of sparse layers under DistributedDataParallel, over two processes on this machine."""

import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch import multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from recsparse.layers.activation import SparseReLU
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.norm import SparseLayerNorm
from recsparse.layers.pool import GlobalPool
from recsparse.layers.sequential import SparseSequential
from recsparse.layers.strided import SparseConv2d
from tests import plain
from tests.random_grids import random_tensor


def test_two_processes_hold_every_check_of_this_file():
    assert plain.failures("tests.sparse.test_distributed") == ""


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        SparseSequential(
            SubmanifoldConv2d(2, 4, 3),
            SparseLayerNorm(4),
            SparseReLU(),
            SparseConv2d(4, 3, 3, stride=2, padding=1),
        ),
        GlobalPool("sum"),
    ).double()


def part_of(rank, densities):
    """Return the samples of one process; their cells differ in number."""
    return random_tensor((7, 6), 2, 2, densities[rank], seed=rank)


def loss_of(model, x):
    return model(x).square().sum()


def train_steps(rank, store, cases, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    for case, densities in enumerate(cases):
        model = DistributedDataParallel(network())
        loss_of(model, part_of(rank, densities)).backward()
        gradients = {name: part.grad for name, part in model.module.named_parameters()}
        torch.save(gradients, Path(folder) / f"{case}-{rank}.pt")
    dist.barrier()  # gloo aborts where one process leaves while the other still talks to it
    dist.destroy_process_group()


def check_that_gradients_are_those_of_one_process():
    # In the second case one process has no cells.
    cases = [(0.3, 0.7), (0.5, 0.0)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = (str(Path(folder) / "store"), cases, folder)
        # Spawned, since a process forked from one that has used threads may wait for them forever.
        multiprocessing.start_processes(train_steps, arguments, nprocs=2, start_method="spawn")
        found = [
            [torch.load(Path(folder) / f"{case}-{rank}.pt") for rank in range(2)]
            for case in range(len(cases))
        ]
    for densities, (first, second) in zip(cases, found, strict=True):
        model = network()
        # What is averaged over processes is the gradient of the mean of their losses.
        (sum(loss_of(model, part_of(rank, densities)) for rank in range(2)) / 2).backward()
        for name, part in model.named_parameters():
            assert torch.equal(first[name], second[name])
            torch.testing.assert_close(first[name], part.grad)
            assert part.grad.abs().sum() > 0
