import json
import logging
import math
import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from safetensors import safe_open
from scipy.sparse import csr_matrix
from torch import nn

from recsparse.config.linear_models import EASEConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.linear.ease import EASE
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import HiddenCells
from recsparse.models.protocol.validation import Judge
from recsparse.models.protocol.warm_start import WarmStart
from recsparse.training.optimise import optimise_network

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


def judge(quality):
    return None if quality is None else Judge("validation_ndcg", quality)


def fitted(context, quality=None, network=None):
    network = network or Table()
    optimise_network(HiddenCells(network, ROWS, 0.5), context, judge(quality))
    return network.logits.detach().clone()


def going_on(**other):
    """A plan to continue from some model."""
    known = WarmStart(EASE(EASEConfig()), np.arange(ROWS.shape[1]))
    return FitContext(settings(3), warm_start=known, **other)


def by_epoch(values):
    """A validation that gives one value an epoch."""
    values = iter(values)
    return lambda: next(values)


def test_on_epoch_gets_the_metrics_of_every_epoch_in_order():
    epochs = []
    plan = FitContext(settings(3), on_epoch=lambda epoch, metrics: epochs.append((epoch, metrics)))
    fitted(plan, by_epoch([0.1, 0.2, 0.3]))
    assert [epoch for epoch, _ in epochs] == [0, 1, 2]
    assert [metrics["validation_ndcg"] for _, metrics in epochs] == pytest.approx([0.1, 0.2, 0.3])
    assert [set(metrics) for _, metrics in epochs] == [{"train_loss", "validation_ndcg"}] * 3


def test_the_loss_falls_to_what_the_popularity_of_items_allows():
    """Items 0 to 4 of 20 are all that anyone has."""
    rows = csr_matrix(np.repeat([[1.0] * 5 + [0.0] * 15], 16, axis=0))
    losses = []
    plan = FitContext(
        settings(30), on_epoch=lambda _, metrics: losses.append(metrics["train_loss"])
    )
    network = Table()
    network.dropout.p = 0.0
    optimise_network(HiddenCells(network, rows, 0.5), plan)
    # About half of the five are hidden and compete with each other alone.
    assert losses[0] == pytest.approx(math.log(20 - 2.5), abs=0.2)
    assert losses[-1] < math.log(5)


def test_without_validation_the_last_weights_stay():
    weights = []
    network = Table()
    plan = FitContext(settings(3), on_epoch=lambda *_: weights.append(network.logits.tolist()))
    assert fitted(plan, network=network).tolist() == weights[-1]
    assert weights[-1] != weights[-2]


def test_the_weights_of_the_best_epoch_come_back():
    weights = []
    network = Table()
    plan = FitContext(settings(4), on_epoch=lambda *_: weights.append(network.logits.tolist()))
    best = fitted(plan, by_epoch([0.1, 0.9, 0.2, 0.3]), network)
    assert len(weights) == 4
    assert best.tolist() == weights[1]


def test_the_start_comes_back_where_no_epoch_betters_what_was_gone_on_from(caplog):
    network = Table()
    start = network.logits.detach().clone()
    best = fitted(going_on(), by_epoch([0.5, 0.4, 0.3, 0.4]), network)
    assert torch.equal(best, start)
    assert "no epoch betters the start: validation_ndcg 0.4000, was 0.5000" in caplog.text


def test_an_epoch_that_betters_the_start_is_taken():
    weights = []
    network = Table()
    plan = going_on(on_epoch=lambda *_: weights.append(network.logits.tolist()))
    best = fitted(plan, by_epoch([0.5, 0.4, 0.6, 0.4]), network)
    assert best.tolist() == weights[1]


def test_a_resumed_training_remembers_its_start_too(tmp_path):
    folder, start = tmp_path / "a", Table().logits.detach().clone()
    plan = going_on(checkpoints=folder, on_epoch=interrupt_after(0))
    with pytest.raises(PowerCutError):
        fitted(plan, by_epoch([0.5, 0.4]))
    plan = going_on(checkpoints=folder, resume=True)
    # It starts from the same weights, so their quality is known again.
    assert torch.equal(fitted(plan, by_epoch([0.5, 0.3, 0.4])), start)
    assert torch.equal(fitted(plan, by_epoch([])), start)


def test_without_validation_a_model_that_goes_on_has_its_last_weights():
    assert torch.equal(fitted(going_on()), fitted(FitContext(settings(3))))


def test_the_training_stops_after_patience_epochs_without_a_better_one():
    epochs = []
    plan = FitContext(settings(9, patience=2), on_epoch=lambda epoch, _: epochs.append(epoch))
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
    fitted(FitContext(settings(2)), lambda: validated.append(network.training) or 0.5, network)
    assert validated == [False, False]
    assert modes == [True] * 6  # 40 users in batches of 16, twice


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    first = fitted(FitContext(settings(), seed=1))
    torch.rand(3)
    np.random.default_rng().random()
    assert torch.equal(fitted(FitContext(settings(), seed=1)), first)
    assert not torch.equal(fitted(FitContext(settings(), seed=2)), first)


class PowerCutError(Exception):
    """Stands for whatever kills a training."""


def interrupt_after(last):
    def on_epoch(epoch, metrics):
        if epoch == last:
            raise PowerCutError

    return on_epoch


@pytest.mark.parametrize("last", [0, 2])
def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path, last):
    whole = fitted(FitContext(settings(5)), by_epoch([0.1, 0.4, 0.3, 0.5, 0.2]))
    folder = tmp_path / "checkpoints"
    quality = by_epoch([0.1, 0.4, 0.3, 0.5, 0.2])
    with pytest.raises(PowerCutError):
        fitted(FitContext(settings(5), checkpoints=folder, on_epoch=interrupt_after(last)), quality)
    assert (folder / "last.safetensors").is_file()
    epochs = []
    plan = FitContext(
        settings(5), checkpoints=folder, resume=True, on_epoch=lambda epoch, _: epochs.append(epoch)
    )
    assert torch.equal(fitted(plan, quality), whole)
    assert epochs == [*range(5)]


def test_a_resumed_training_remembers_its_best_epoch(tmp_path):
    """The best epoch lies before the interruption, and the weights are those of that epoch."""
    whole = fitted(FitContext(settings(4)), by_epoch([0.1, 0.9, 0.3, 0.2]))
    quality = by_epoch([0.1, 0.9, 0.3, 0.2])
    plan = FitContext(settings(4), checkpoints=tmp_path / "a", on_epoch=interrupt_after(2))
    with pytest.raises(PowerCutError):
        fitted(plan, quality)
    plan = FitContext(settings(4), checkpoints=tmp_path / "a", resume=True)
    assert torch.equal(fitted(plan, quality), whole)


def test_an_interrupt_stays_one_and_ctrl_c_works_afterwards(tmp_path):
    """Lightning alone makes a SystemExit of it, and ignores SIGINT from then on."""

    def on_epoch(epoch, metrics):
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fitted(FitContext(settings(3), checkpoints=tmp_path / "a", on_epoch=on_epoch))
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "a" / "last.safetensors").is_file()


def test_without_resume_an_older_checkpoint_is_not_used(tmp_path):
    folder = tmp_path / "checkpoints"
    with pytest.raises(PowerCutError):
        fitted(FitContext(settings(3), checkpoints=folder, on_epoch=interrupt_after(1)))
    epochs = []
    fitted(
        FitContext(settings(3), checkpoints=folder, on_epoch=lambda epoch, _: epochs.append(epoch))
    )
    assert epochs == [0, 1, 2]


def test_resume_from_the_state_of_another_network_is_refused(tmp_path):
    with pytest.raises(PowerCutError):
        fitted(FitContext(settings(3), checkpoints=tmp_path / "a", on_epoch=interrupt_after(0)))
    plan = FitContext(settings(3), checkpoints=tmp_path / "a", resume=True)
    with pytest.raises(
        InputError, match=r"last\.safetensors must be of the configured network, but"
    ):
        fitted(plan, network=Table(num_items=21))
    assert (tmp_path / "a" / "last.safetensors").is_file()


def test_resume_without_a_checkpoint_starts_anew(tmp_path):
    plan = FitContext(settings(), checkpoints=tmp_path / "none", resume=True)
    assert torch.equal(fitted(plan), fitted(FitContext(settings())))


def test_without_a_checkpoint_folder_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted(FitContext(settings(1)))
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
    plan = FitContext(settings(2), checkpoints=tmp_path / "a", on_epoch=interrupt_after(0))
    with pytest.raises(PowerCutError):
        fitted(plan, quality)
    fitted(FitContext(settings(2), checkpoints=tmp_path / "a", resume=True), quality)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert lightning.level == level


class Listener:
    """Keeps what is told of a training."""

    def __init__(self):
        self.works, self.told = [], []

    @contextmanager
    def task(self, description, total=None):
        self.works.append((description, total))
        yield lambda done, note="": self.told.append((done, note))


def test_each_step_is_told_and_each_epoch_with_its_quality(capfd):
    listener = Listener()
    fitted(FitContext(settings(3), reporter=listener), by_epoch([0.1, 0.3, 0.2]))
    (_, total), *_ = [work for work in listener.works if work[0] == "training"]
    steps = total // 3
    assert [done for done, note in listener.told if not note] == [*range(total + 1)]
    assert [told for told in listener.told if told[1]] == [
        (steps, "epoch 1 of at most 3, validation ndcg 0.1000"),
        (2 * steps, "epoch 2 of at most 3, validation ndcg 0.3000"),
        (
            3 * steps,
            "epoch 3 of at most 3, validation ndcg 0.2000 (best 0.3000 after epoch 2)",
        ),
    ]
    assert capfd.readouterr() == ("", "")


def test_a_training_that_goes_on_tells_what_was_done_before(tmp_path):
    listener, folder = Listener(), tmp_path / "a"
    with pytest.raises(PowerCutError):
        fitted(FitContext(settings(2), checkpoints=folder, on_epoch=interrupt_after(0)))
    fitted(FitContext(settings(2), checkpoints=folder, resume=True, reporter=listener))
    (_, total), *_ = [work for work in listener.works if work[0] == "training"]
    assert [done for done, note in listener.told if not note] == [*range(total // 2, total + 1)]


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
    plan = FitContext(settings(4), checkpoints=folder)
    # 40 rows are three batches an epoch.
    with pytest.raises(
        InputError,
        match=r"the loss must be finite, but is nan at step 7 in epoch 2; .*rate of 0\.1",
    ):
        fitted(plan, network=Breaks(7))
    with safe_open(folder / "last.safetensors", framework="pt") as file:
        facts = json.loads(file.metadata()["recsparse"])
        assert (facts["epochs"], facts["steps"]) == (2, 6)
        assert file.get_tensor("weights/network.logits").isfinite().all()
    resumed = fitted(FitContext(settings(4), checkpoints=folder, resume=True))
    assert torch.equal(resumed, fitted(FitContext(settings(4))))
