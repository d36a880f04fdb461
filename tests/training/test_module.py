import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from torch import nn

from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.losses import masked_softmax_loss
from recsparse.models.protocol.objective import HiddenCells
from recsparse.training.module import ObjectiveModule, row_batches


class Recorder(nn.Module):
    """A network whose logits are a table, and which remembers what it was shown."""

    def __init__(self, num_items):
        super().__init__()
        self.logits = nn.Parameter(torch.arange(num_items, dtype=torch.float32))
        self.shown = []

    def forward(self, cells):
        self.shown.append(cells)
        return self.logits.expand(cells.spatial_shape[0], -1)


def random_rows(num_users, num_items, seed=0):
    return csr_matrix(
        random_array((num_users, num_items), density=0.5, rng=seed, dtype="float32") * 5
    )


def objective_of(matrix, share=0.5):
    return HiddenCells(Recorder(matrix.shape[1]), matrix, share)


def module_of(matrix, share=0.5, seed=0):
    module = ObjectiveModule(objective_of(matrix, share), TrainingConfig(), None, seed)
    module.log = lambda *args, **kwargs: None
    return module


def cells_of(tensor):
    return {(*cell, *feats) for cell, feats in zip(*map(list, listed(tensor)), strict=True)}


def listed(tensor):
    return tensor.coords.tolist(), tensor.feats.tolist()


@pytest.mark.parametrize("cell_dropout", [0.1, 0.5, 0.9])
def test_the_loss_is_of_the_hidden_cells_and_they_never_reach_the_network(cell_dropout):
    module = module_of(random_rows(10, 20), cell_dropout)
    (cells,) = row_batches(module.objective, batch_rows=10, seed=0)
    loss = module.training_step(cells, 0)
    (shown,) = module.network.shown
    assert cells_of(shown) < cells_of(cells)
    hidden = torch.tensor(sorted(cells_of(cells) - cells_of(shown)))
    expected = masked_softmax_loss(
        module.network.logits.expand(10, -1),
        kept=shown.coords[:, 1:],
        targets=hidden[:, 1:3].long(),
        weights=hidden[:, 3],
    )
    assert loss.item() == pytest.approx(expected.item())
    assert len(hidden) / len(cells.feats) == pytest.approx(cell_dropout, abs=0.15)


def test_what_is_hidden_depends_on_the_seed_alone():
    rows = random_rows(10, 20)
    (cells,) = row_batches(objective_of(rows), batch_rows=10, seed=0)
    shown = []
    for seed in (0, 0, 1):
        torch.rand(1)
        module = module_of(rows, seed=seed)
        module.training_step(cells, 0)
        shown.append(cells_of(module.network.shown[0]))
    assert shown[0] == shown[1] != shown[2]


def test_what_is_drawn_in_a_step_is_seeded_without_what_keeps_the_stack(monkeypatch):
    rows = random_rows(10, 20)
    (cells,) = row_batches(objective_of(rows), batch_rows=10, seed=0)
    module = module_of(rows, seed=5)
    monkeypatch.setattr(module.objective, "loss", lambda batch: torch.rand(3).sum())
    torch.manual_seed(int(np.random.SeedSequence((5, 0)).generate_state(1)[0]))
    expected = torch.rand(3).sum()
    monkeypatch.setattr(torch, "manual_seed", lambda seed: 1 / 0)
    assert module.training_step(cells, 0) == expected


@given(st.integers(0, 8), st.integers(1, 5), st.integers(1, 9), st.integers(0, 99))
def test_an_epoch_has_every_row_with_cells_once(users, items, batch_rows, seed):
    matrix = random_rows(users, items, seed)
    filled = matrix.toarray()[matrix.getnnz(axis=1) > 0].tolist()
    loader = row_batches(objective_of(matrix), batch_rows, seed)
    batches = list(loader)
    assert len(batches) == len(loader)
    assert [len(batch.to_dense()[0, 0]) for batch in batches[:-1]] == [batch_rows] * (
        len(batches) - 1
    )
    rows = [row for batch in batches for row in batch.to_dense()[0, 0].tolist()]
    assert sorted(rows) == sorted(filled)


def order_of(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return [row for rows in loader.sampler for row in rows]


def test_the_order_differs_by_epoch_and_by_seed_and_is_otherwise_the_same():
    matrix = random_rows(30, 20)
    loader, same, other = (row_batches(objective_of(matrix), 7, seed) for seed in (0, 0, 1))
    assert order_of(loader, 0) == order_of(same, 0)
    assert order_of(loader, 3) == order_of(same, 3)
    assert order_of(loader, 0) != order_of(loader, 1)
    assert order_of(loader, 0) != order_of(other, 0)
