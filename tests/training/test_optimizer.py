import pytest
import torch
from torch import nn
from torch.optim import AdamW

from recsparse.config.training import TrainingConfig
from recsparse.training.optimizer import JointOptimizer, network_optimizer

CONFIG = TrainingConfig(learning_rate=0.1)


class Tables(nn.Module):
    """Two tables and a layer; the loss reads a few rows."""

    def __init__(self, sparse):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Embedding(9, 3, sparse=sparse)
        self.second = nn.Embedding(5, 3)
        self.layer = nn.Linear(3, 1)

    def forward(self, rows):
        return self.layer(self.first(rows) + self.second(rows % 5)).square().sum()


def steps(sparse, batches, restart_before=None):
    network = Tables(sparse)
    optimizer = network_optimizer(network, CONFIG)
    for number, rows in enumerate(batches):
        if number == restart_before:
            state = optimizer.state_dict()
            optimizer = network_optimizer(network, CONFIG)
            optimizer.load_state_dict(state)
        halve_rate(optimizer, number)
        optimizer.zero_grad()
        network(torch.tensor(rows)).backward()
        optimizer.step()
    return network


def halve_rate(optimizer, times):
    for group in optimizer.param_groups:
        group["lr"] = 0.1 * 0.5**times


def test_a_network_without_sparse_tables_has_adamw_alone():
    assert type(network_optimizer(Tables(sparse=False), CONFIG)) is AdamW
    assert type(network_optimizer(Tables(sparse=True), CONFIG)) is JointOptimizer


def test_where_every_step_touches_all_rows_sparse_and_dense_agree():
    batches = [list(range(9))] * 4
    dense = Tables(sparse=False)
    optimizer = torch.optim.AdamW(dense.parameters(), lr=0.1, betas=(0.9, 0.98), weight_decay=0)
    for number, rows in enumerate(batches):
        halve_rate(optimizer, number)
        optimizer.zero_grad()
        dense(torch.tensor(rows)).backward()
        optimizer.step()
    for own, expected in zip(steps(True, batches).parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-5)


def test_rows_that_are_not_read_stay_as_they_are():
    before, after = Tables(sparse=True), steps(True, [[1, 4], [4, 7], [7, 7]])
    moved = (after.first.weight != before.first.weight).any(dim=1).nonzero()[:, 0]
    assert moved.tolist() == [1, 4, 7]


@pytest.mark.parametrize("sparse", [False, True])
def test_its_state_can_be_taken_back_in_the_middle(sparse):
    batches = [[1, 4], [4, 7], [7, 7], [1, 2]]
    whole, stopped = steps(sparse, batches), steps(sparse, batches, restart_before=2)
    for own, expected in zip(stopped.parameters(), whole.parameters(), strict=True):
        assert torch.equal(own, expected)
