"""A training that was cut off resumes from its checkpoint."""

import json
import math
import signal

import pytest
import torch
from safetensors import safe_open

from recsparse.errors import InputError
from recsparse.models.protocol.fit_context import FitContext
from tests.training.logit_table import (
    PowerCutError,
    Table,
    by_epoch,
    fitted,
    going_on,
    interrupt_after,
    settings,
)


def test_a_resumed_training_remembers_its_start_too(tmp_path):
    folder, start = tmp_path / "a", Table().logits.detach().clone()
    plan = going_on(checkpoints=folder, on_epoch=interrupt_after(0))
    with pytest.raises(PowerCutError):
        fitted(plan, by_epoch([0.5, 0.4]))
    plan = going_on(checkpoints=folder, resume=True)
    # It starts from the same weights, so their quality is known again.
    assert torch.equal(fitted(plan, by_epoch([0.5, 0.3, 0.4])), start)
    assert torch.equal(fitted(plan, by_epoch([])), start)


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

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            fitted(FitContext(settings(3), checkpoints=tmp_path / "a", on_epoch=on_epoch))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
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
