import logging
import math
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

from recsparse.errors import InputError
from recsparse.linear_config import EASEConfig
from recsparse.model_config import BlendConfig
from recsparse.models.base import FitExtras
from recsparse.models.blend import BlendRecommender
from recsparse.models.ease import EASE
from recsparse.models.objective import HiddenCells
from recsparse.models.sparse_grid import SparseGridRecommender
from recsparse.network_config import SparseGridConfig, TrainingConfig
from recsparse.training.fit import FitPlan, fit_model, optimise_network
from recsparse.training.module import row_batches

CONFIG = SparseGridConfig(factors=4, hidden=8, item_iterations=2, dropout=0.5)
ROWS = csr_matrix((np.random.default_rng(0).random((40, 20)) < 0.3).astype(np.float32))


class Table(nn.Module):
    """The same learned logits for every row, and noise that its dropout makes."""

    def __init__(self, num_items=20):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_items))
        self.dropout = nn.Dropout(0.5)

    def forward(self, cells):
        return self.dropout(self.logits.expand(cells.spatial_shape[0], -1))


def settings(epochs=3, **other):
    return TrainingConfig(epochs=epochs, batch_users=16, device="cpu", learning_rate=0.1, **other)


def fitted(plan, validate=None, network=None):
    network = network or Table()
    optimise_network(HiddenCells(network, ROWS, 0.5), plan, validate)
    return network.logits.detach().clone()


def by_epoch(values):
    """A validation that gives one value an epoch."""
    values = iter(values)
    return lambda: next(values)


def test_on_epoch_gets_the_metrics_of_every_epoch_in_order():
    epochs = []
    plan = FitPlan(settings(3), on_epoch=lambda epoch, metrics: epochs.append((epoch, metrics)))
    fitted(plan, by_epoch([0.1, 0.2, 0.3]))
    assert [epoch for epoch, _ in epochs] == [0, 1, 2]
    assert [metrics["validation_ndcg"] for _, metrics in epochs] == pytest.approx([0.1, 0.2, 0.3])
    assert [set(metrics) for _, metrics in epochs] == [{"train_loss", "validation_ndcg"}] * 3


def test_the_loss_falls_to_what_the_popularity_of_items_allows():
    """Items 0 to 4 of 20 are all that anyone has."""
    rows = csr_matrix(np.repeat([[1.0] * 5 + [0.0] * 15], 16, axis=0))
    losses = []
    plan = FitPlan(settings(30), on_epoch=lambda _, metrics: losses.append(metrics["train_loss"]))
    network = Table()
    network.dropout.p = 0.0
    optimise_network(HiddenCells(network, rows, 0.5), plan)
    # About half of the five are hidden and compete with each other alone.
    assert losses[0] == pytest.approx(math.log(20 - 2.5), abs=0.2)
    assert losses[-1] < math.log(5)


def test_without_validation_the_last_weights_stay():
    weights = []
    network = Table()
    plan = FitPlan(settings(3), on_epoch=lambda *_: weights.append(network.logits.tolist()))
    assert fitted(plan, network=network).tolist() == weights[-1]
    assert weights[-1] != weights[-2]


def test_the_weights_of_the_best_epoch_come_back():
    weights = []
    network = Table()
    plan = FitPlan(settings(4), on_epoch=lambda *_: weights.append(network.logits.tolist()))
    best = fitted(plan, by_epoch([0.1, 0.9, 0.2, 0.3]), network)
    assert len(weights) == 4
    assert best.tolist() == weights[1]


def test_the_training_stops_after_patience_epochs_without_a_better_one():
    epochs = []
    plan = FitPlan(settings(9, patience=2), on_epoch=lambda epoch, _: epochs.append(epoch))
    fitted(plan, by_epoch([0.1, 0.5, 0.4, 0.4, 0.9]))
    assert epochs == [0, 1, 2, 3]


def test_validation_sees_the_network_without_dropout_and_training_with_it():
    modes = []

    class Watched(Table):
        def forward(self, cells):
            modes.append(self.training)
            return super().forward(cells)

    network = Watched()
    validated = []
    fitted(FitPlan(settings(2)), lambda: validated.append(network.training) or 0.5, network)
    assert validated == [False, False]
    assert modes == [True] * 6  # 40 users in batches of 16, twice


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    first = fitted(FitPlan(settings(), seed=1))
    torch.rand(3)
    np.random.default_rng().random()
    assert torch.equal(fitted(FitPlan(settings(), seed=1)), first)
    assert not torch.equal(fitted(FitPlan(settings(), seed=2)), first)


class PowerCutError(Exception):
    """Stands for whatever kills a training."""


def interrupt_after(last):
    def on_epoch(epoch, metrics):
        if epoch == last:
            raise PowerCutError

    return on_epoch


@pytest.mark.parametrize("last", [0, 2])
def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path, last):
    whole = fitted(FitPlan(settings(5)), by_epoch([0.1, 0.4, 0.3, 0.5, 0.2]))
    folder = tmp_path / "checkpoints"
    quality = by_epoch([0.1, 0.4, 0.3, 0.5, 0.2])
    with pytest.raises(PowerCutError):
        fitted(FitPlan(settings(5), checkpoints=folder, on_epoch=interrupt_after(last)), quality)
    assert (folder / "last.ckpt").is_file()
    epochs = []
    plan = FitPlan(
        settings(5), checkpoints=folder, resume=True, on_epoch=lambda epoch, _: epochs.append(epoch)
    )
    assert torch.equal(fitted(plan, quality), whole)
    assert epochs == [*range(last + 1, 5)]


def test_a_resumed_training_remembers_its_best_epoch(tmp_path):
    """The best epoch lies before the interruption, and the weights are those of that epoch."""
    whole = fitted(FitPlan(settings(4)), by_epoch([0.1, 0.9, 0.3, 0.2]))
    quality = by_epoch([0.1, 0.9, 0.3, 0.2])
    plan = FitPlan(settings(4), checkpoints=tmp_path / "a", on_epoch=interrupt_after(2))
    with pytest.raises(PowerCutError):
        fitted(plan, quality)
    plan = FitPlan(settings(4), checkpoints=tmp_path / "a", resume=True)
    assert torch.equal(fitted(plan, quality), whole)


def test_without_resume_an_older_checkpoint_is_not_used(tmp_path):
    folder = tmp_path / "checkpoints"
    with pytest.raises(PowerCutError):
        fitted(FitPlan(settings(3), checkpoints=folder, on_epoch=interrupt_after(1)))
    epochs = []
    fitted(FitPlan(settings(3), checkpoints=folder, on_epoch=lambda epoch, _: epochs.append(epoch)))
    assert epochs == [0, 1, 2]


def test_resume_from_the_state_of_another_network_is_refused(tmp_path):
    with pytest.raises(PowerCutError):
        fitted(FitPlan(settings(3), checkpoints=tmp_path / "a", on_epoch=interrupt_after(0)))
    plan = FitPlan(settings(3), checkpoints=tmp_path / "a", resume=True)
    with pytest.raises(InputError, match=r"last\.ckpt must be of the configured network, but"):
        fitted(plan, network=Table(num_items=21))
    assert (tmp_path / "a" / "last.ckpt").is_file()


def test_resume_without_a_checkpoint_starts_anew(tmp_path):
    plan = FitPlan(settings(), checkpoints=tmp_path / "none", resume=True)
    assert torch.equal(fitted(plan), fitted(FitPlan(settings())))


def test_a_resumed_model_does_not_train_complete_networks_again(tmp_path):
    """Of a blend of two networks, the second is interrupted."""
    network = CONFIG.model_copy(update={"linear": None})
    config = BlendConfig(parts=(network, network))
    whole = fit_model(BlendRecommender(config), ROWS, FitPlan(settings(2)))
    trained = []

    def on_epoch(epoch, metrics):
        trained.extend((name, epoch) for name in metrics)
        if trained[-1] == ("1_sparse_grid/train_loss", 0):
            raise PowerCutError

    plan = FitPlan(settings(2), checkpoints=tmp_path / "a", on_epoch=on_epoch)
    with pytest.raises(PowerCutError):
        fit_model(BlendRecommender(config), ROWS, plan)
    resumed = fit_model(BlendRecommender(config), ROWS, replace(plan, resume=True))
    assert trained == [
        ("0_sparse_grid/train_loss", 0), ("0_sparse_grid/train_loss", 1),
        ("1_sparse_grid/train_loss", 0), ("1_sparse_grid/train_loss", 1),
    ]  # fmt: skip
    assert torch.equal(resumed.score_batch(ROWS), whole.score_batch(ROWS))


def test_without_a_checkpoint_folder_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted(FitPlan(settings(1)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cores", [1, 16])
def test_lightning_says_nothing_and_has_its_voice_back_afterwards(
    capfd, caplog, monkeypatch, tmp_path, cores
):
    """A warning would be an error here; on many cores Lightning wants more workers."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    lightning = logging.getLogger("pytorch_lightning")
    level = lightning.level
    caplog.set_level(logging.INFO)
    quality = by_epoch([0.1, 0.2])
    plan = FitPlan(settings(2), checkpoints=tmp_path / "a", on_epoch=interrupt_after(0))
    with pytest.raises(PowerCutError):
        fitted(plan, quality)
    fitted(FitPlan(settings(2), checkpoints=tmp_path / "a", resume=True), quality)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert lightning.level == level


def test_a_progress_bar_is_shown_where_it_is_wanted(capfd):
    fitted(FitPlan(settings(1), progress=True))
    assert "Epoch 0/0" in capfd.readouterr().out


def test_a_linear_model_is_fitted_as_it_would_be_by_itself():
    model = EASE(EASEConfig())
    assert fit_model(model, ROWS, FitPlan(settings())) is model
    expected = EASE(EASEConfig()).fit(ROWS)
    assert torch.equal(model.score_batch(ROWS), expected.score_batch(ROWS))


def test_a_network_is_validated_by_the_model_around_it():
    seen = []

    def validate(model):
        seen.append(model)
        return 0.5

    model = SparseGridRecommender(CONFIG)
    fit_model(model, ROWS, FitPlan(settings(2)), validate)
    # Two epochs, then every tried weight of the linear term.
    assert len(seen) > 2
    assert all(one is model for one in seen)


@pytest.mark.parametrize("cell_dropout", [0.05, 0.95])
def test_the_configured_share_of_cells_is_hidden(monkeypatch, cell_dropout):
    shown = []

    def one_step(objective, plan, validate):
        (cells,) = row_batches(objective, batch_rows=40, seed=0)
        network = objective.network
        hook = network.register_forward_pre_hook(lambda _, args: shown.append(args[0].feats))
        objective.loss(cells)
        hook.remove()

    monkeypatch.setattr("recsparse.training.fit.optimise_network", one_step)
    model = SparseGridRecommender(CONFIG.model_copy(update={"cell_dropout": cell_dropout}))
    fit_model(model, ROWS, FitPlan(settings()))
    assert len(shown[0]) / ROWS.nnz == pytest.approx(1 - cell_dropout, abs=0.05)


def test_the_plans_seed_and_words_reach_the_model():
    class Stub(EASE):
        def fit(self, interactions, extras=None):
            self.extras = extras
            return super().fit(interactions)

    model = Stub(EASEConfig())
    fit_model(model, ROWS, FitPlan(settings(), seed=7))
    assert isinstance(model.extras, FitExtras)
    assert model.extras.seed == 7
    assert model.extras.item_words is None
    assert model.extras.optimise is not None


class Breaks(Table):
    """Logits that are no numbers from some step on."""

    def __init__(self, good_steps):
        super().__init__()
        self.good_steps = good_steps

    def forward(self, cells):
        self.good_steps -= 1
        return super().forward(cells) * (1.0 if self.good_steps >= 0 else math.nan)


def test_a_loss_that_is_no_number_stops_and_the_last_good_epoch_is_kept(tmp_path):
    folder = tmp_path / "checkpoints"
    plan = FitPlan(settings(4), checkpoints=folder)
    # 40 rows are three batches an epoch.
    with pytest.raises(
        InputError,
        match=r"the loss must be finite, but is nan at step 7 in epoch 2; .*rate of 0\.1",
    ):
        fitted(plan, network=Breaks(7))
    state = torch.load(folder / "last.ckpt", weights_only=False)
    assert (state["epoch"], state["global_step"]) == (1, 6)
    assert state["state_dict"]["network.logits"].isfinite().all()
    resumed = fitted(FitPlan(settings(4), checkpoints=folder, resume=True))
    assert torch.equal(resumed, fitted(FitPlan(settings(4))))
