"""Fitting any model; how a network is trained is tested elsewhere."""

from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch

from recsparse.config.linear_models import EASEConfig
from recsparse.config.models import BlendConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.models.blend.blend import BlendRecommender
from recsparse.models.linear.ease import EASE
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.row_networks.sparse_grid import SparseGridRecommender
from recsparse.training.fit import fit_model
from recsparse.training.module import row_batches
from recsparse.training.trainer import train_network
from tests.training.logit_table import ROWS, PowerCutError, settings
from tests.validations import judged_by

CONFIG = SparseGridConfig(factors=4, hidden=8, item_iterations=2, dropout=0.5)


def test_a_resumed_model_does_not_train_complete_networks_again(tmp_path, monkeypatch):
    """Of a blend of two networks, the second is interrupted."""
    network = CONFIG.model_copy(update={"linear": None})
    config = BlendConfig(parts=(network, network))
    whole = fit_model(BlendRecommender(config), ROWS, FitContext(settings(2)))
    told, trainings, fit = [], [], pl.Trainer.fit

    def on_epoch(epoch, metrics):
        told.extend((name, epoch) for name in metrics)
        if len(trainings) == 2 and told[-1] == ("1_sparse_grid/train_loss", 0):
            raise PowerCutError

    def counting(trainer, module, *loaders):
        trainings.append(module)
        return fit(trainer, module, *loaders)

    monkeypatch.setattr(pl.Trainer, "fit", counting)

    plan = FitContext(settings(2), checkpoints=tmp_path / "a", on_epoch=on_epoch)
    with pytest.raises(PowerCutError):
        fit_model(BlendRecommender(config), ROWS, plan)
    assert (len(trainings), len(told)) == (2, 3)
    told.clear()
    resumed = fit_model(BlendRecommender(config), ROWS, replace(plan, resume=True))
    assert len(trainings) == 3
    assert told == [
        ("0_sparse_grid/train_loss", 0), ("0_sparse_grid/train_loss", 1),
        ("1_sparse_grid/train_loss", 0), ("1_sparse_grid/train_loss", 1),
    ]  # fmt: skip
    assert torch.equal(resumed.score_batch(ROWS), whole.score_batch(ROWS))


def test_a_linear_model_is_fitted_as_it_would_be_by_itself():
    model = EASE(EASEConfig())
    assert fit_model(model, ROWS, FitContext(settings())) is model
    expected = EASE(EASEConfig()).fit(ROWS)
    assert torch.equal(model.score_batch(ROWS), expected.score_batch(ROWS))


def test_a_network_is_validated_by_the_model_around_it():
    seen = []

    def validate(model):
        seen.append(model)
        return 0.5

    model = SparseGridRecommender(CONFIG)
    fit_model(model, ROWS, FitContext(settings(2), validation=judged_by(validate)))
    # Two epochs, then every tried weight of the linear term.
    assert len(seen) > 2
    assert all(one is model for one in seen)


@pytest.mark.parametrize("cell_dropout", [0.05, 0.95])
def test_the_configured_share_of_cells_is_hidden(monkeypatch, cell_dropout):
    shown = []

    def one_step(objective, context, judge):
        (cells,) = row_batches(objective, batch_rows=40, seed=0)
        network = objective.network
        hook = network.register_forward_pre_hook(lambda _, args: shown.append(args[0].feats))
        objective.loss(cells)
        hook.remove()
        return 1

    monkeypatch.setattr("recsparse.training.trainer.optimise_network", one_step)
    model = SparseGridRecommender(CONFIG.model_copy(update={"cell_dropout": cell_dropout}))
    fit_model(model, ROWS, FitContext(settings()))
    assert len(shown[0]) / ROWS.nnz == pytest.approx(1 - cell_dropout, abs=0.05)


def test_the_context_reaches_the_model_with_a_trainer():
    class Stub(EASE):
        def fit(self, interactions, context=None):
            self.context = context
            return super().fit(interactions)

    model = Stub(EASEConfig())
    fit_model(model, ROWS, FitContext(settings(), seed=7))
    assert model.context.seed == 7
    assert model.context.item_features is None
    assert model.context.trainer is train_network


@pytest.mark.parametrize(
    ("own", "used"), [("auto", "cpu"), ("cpu", "cpu"), ("mps", "mps")], ids=str
)
def test_a_network_of_no_device_of_its_own_is_trained_on_that_of_all(monkeypatch, own, used):
    asked = []

    def optimise_network(_, context, judge=None):
        asked.append(context.training)
        return 1

    monkeypatch.setattr("recsparse.training.trainer.optimise_network", optimise_network)
    config = CONFIG.model_copy(update={"training": settings(2).model_copy(update={"device": own})})
    fit_model(SparseGridRecommender(config), ROWS, FitContext(settings(9)))
    assert [(each.device, each.epochs) for each in asked] == [(used, 2)]
