"""What a training says while it runs."""

import logging
import os
from contextlib import contextmanager

import pytest

from recsparse.models.protocol.fit_context import FitContext
from tests.training.logit_table import PowerCutError, by_epoch, fitted, interrupt_after, settings


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
