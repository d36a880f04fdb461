"""A checkpoint is data alone, checked before it is used."""

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from recsparse.config.linear_models import EASEConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import CheckpointError
from recsparse.models.linear.ease import EASE
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.warm_start import WarmStart
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model
from tests.training.logit_table import (
    ROWS,
    PowerCutError,
    Table,
    by_epoch,
    fitted,
    interrupt_after,
    settings,
)

QUALITIES = [0.1, 0.4, 0.3, 0.5, 0.2]


class TwoTables(Table):
    """One of its tables has sparse gradients, so that it has an optimiser of its own."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.items = nn.Embedding(20, 3, sparse=True)
            self.unused = nn.Parameter(torch.zeros(2))

    def forward(self, cells):
        return super().forward(cells) + self.items(cells.coords[:, 2]).mean()


def interrupted(folder, last=2, network=None):
    plan = FitContext(settings(5), checkpoints=folder, on_epoch=interrupt_after(last))
    quality = by_epoch(QUALITIES)
    with pytest.raises(PowerCutError):
        fitted(plan, quality, network)
    return quality


def resumed(folder, quality=None, network=None):
    plan = FitContext(settings(5), checkpoints=folder, resume=True)
    return fitted(plan, quality or by_epoch(QUALITIES[3:]), network)


@pytest.fixture
def checkpoint(tmp_path):
    interrupted(tmp_path, network=TwoTables())
    return tmp_path / "last.safetensors"


def changed(path, facts=(), tensors=(), without=()):
    """Write a checkpoint again with other content, as anyone could."""
    with safe_open(path, framework="pt") as file:
        found = json.loads(file.metadata()["recsparse"]) | dict(facts)
        kept = {name: file.get_tensor(name).clone() for name in file.keys() if name not in without}  # noqa: SIM118
    save_file(kept | dict(tensors), path, {"recsparse": json.dumps(found)})


def test_a_checkpoint_folder_holds_no_pickle(checkpoint):
    assert [path.name for path in checkpoint.parent.iterdir()] == ["last.safetensors"]
    resumed(checkpoint.parent, network=TwoTables())
    assert [path.name for path in checkpoint.parent.iterdir()] == ["complete.safetensors"]


@pytest.mark.parametrize("last", [0, 1, 3])
def test_optimisers_of_several_kinds_are_resumed_to_the_last_bit(tmp_path, last):
    whole, again = TwoTables(), TwoTables()
    fitted(FitContext(settings(5)), by_epoch(QUALITIES), whole)
    quality = interrupted(tmp_path, last, TwoTables())
    resumed(tmp_path, quality, again)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("epochs", [2, 3, 5])
def test_a_training_killed_after_its_last_epoch_trains_no_other(tmp_path, epochs):
    """Whether the last is that of all epochs, of `stop_after`, or of the patience."""
    training = {2: settings(9, stop_after=2), 3: settings(9, patience=1), 5: settings(5)}[epochs]
    qualities = [0.1, 0.5, 0.4, 0.6, 0.7]
    whole = fitted(FitContext(training), by_epoch(qualities))
    plan = FitContext(training, checkpoints=tmp_path, on_epoch=interrupt_after(epochs - 1))
    with pytest.raises(PowerCutError):
        fitted(plan, by_epoch(qualities))
    seen = []
    plan = replace(plan, resume=True, on_epoch=lambda epoch, _: seen.append(epoch))
    assert torch.equal(fitted(plan, by_epoch([])), whole)
    assert seen == [*range(epochs)]


class Opened:
    """What leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


@pytest.mark.parametrize("name", ["last.safetensors", "complete.safetensors"])
@pytest.mark.parametrize("by_torch", [True, False])
def test_a_pickle_in_place_of_a_checkpoint_is_not_opened(tmp_path, name, by_torch):
    mark = tmp_path / "mark"
    if by_torch:
        torch.save({"state_dict": Opened(mark)}, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(Opened(mark)))
    with pytest.raises(CheckpointError, match=rf"{name} must be as .* start anew with --fresh"):
        resumed(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.999])
def test_a_cut_checkpoint_is_told_and_left(checkpoint, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"last\.safetensors must be as .* --fresh"):
        resumed(checkpoint.parent, network=TwoTables())
    assert checkpoint.is_file()


@pytest.mark.parametrize(
    "facts",
    [
        {"epochs": 99}, {"epochs": 0}, {"epochs": -1}, {"epochs": 2.5}, {"epochs": "2"},
        {"steps": 7}, {"steps": None}, {"best_epoch": 3}, {"best_epoch": 9}, {"best_epoch": 0},
        {"best_quality": None}, {"best_quality": math.nan}, {"learning_rates": []},
        {"learning_rates": [0.1]}, {"learning_rates": [0.1, -0.1]}, {"learning_rates": [1e9, 0.1]},
        {"learning_rates": [math.nan, 0.1]}, {"learning_rates": 0.1}, {"format_version": 2},
        {"another": 1}, {"job": None},
    ],
    ids=str,
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(checkpoint, facts):
    changed(checkpoint, facts)
    with pytest.raises(CheckpointError, match=r"last\.safetensors must be as .* --fresh"):
        resumed(checkpoint.parent, network=TwoTables())


LOGITS, MEAN = "weights/network.logits", "optimizer/0/0/exp_avg"


@pytest.mark.parametrize(
    ("tensors", "without"),
    [
        ({LOGITS: torch.zeros(21)}, ()),
        ({LOGITS: torch.zeros(20, dtype=torch.float64)}, ()),
        ({LOGITS: torch.full((20,), math.nan)}, ()),
        ({}, [LOGITS]),
        ({}, ["best/network.logits"]),
        ({"weights/network.other": torch.zeros(20)}, ()),
        ({"other/network.logits": torch.zeros(20)}, ()),
        ({"nameless": torch.zeros(20)}, ()),
        ({MEAN: torch.zeros(19)}, ()),
        ({MEAN: torch.zeros(20, dtype=torch.int64)}, ()),
        ({MEAN: torch.full((20,), math.inf)}, ()),
        ({}, [MEAN]),
        ({"optimizer/0/0/exp_avg_sq": -torch.ones(20)}, ()),
        ({"optimizer/0/0/step": torch.tensor(99.0)}, ()),
        ({"optimizer/0/0/step": torch.tensor(1.5)}, ()),
        ({"optimizer/0/0/step": torch.ones(2)}, ()),
        ({"optimizer/1/0/step": torch.tensor(-1)}, ()),
        ({"optimizer/2/0/step": torch.tensor(1)}, ()),
        ({"optimizer/0/9/exp_avg": torch.zeros(20)}, ()),
    ],
    ids=str,
)
def test_tensors_that_do_not_fit_are_refused(checkpoint, tensors, without):
    changed(checkpoint, tensors=tensors, without=without)
    with pytest.raises(CheckpointError, match=r"last\.safetensors must be .* --fresh"):
        resumed(checkpoint.parent, network=TwoTables())


def test_a_complete_network_of_other_weights_is_refused(tmp_path):
    fitted(FitContext(settings(1), checkpoints=tmp_path))
    changed(tmp_path / "complete.safetensors", tensors={LOGITS: torch.zeros(21)})
    with pytest.raises(CheckpointError, match=r"complete\.safetensors must be of the configured"):
        resumed(tmp_path)


CONFIG = SparseGridConfig(factors=4, hidden=8, item_iterations=1)
KNOWN = WarmStart(build_model(CONFIG), np.arange(ROWS.shape[1]))


def fit(plan, config=CONFIG, rows=ROWS, times=None):
    return fit_model(build_model(config), rows, replace(plan, times=times))


def of_times(rows, step):
    times = rows.astype(np.int64)
    times.data = np.arange(times.nnz) * step
    return times


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("seed", {"plan": {"seed": 1}}),
        ("configuration", {"plan": {"training": settings(4)}}),
        ("configuration", {"config": CONFIG.model_copy(update={"dropout": 0.4})}),
        ("dataset", {"rows": (ROWS * 2).tocsr()}),
        ("dataset", {"rows": ROWS[::-1].tocsr()}),
        ("dataset", {"times": of_times(ROWS, 7)}),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_training_is_not_resumed_from(tmp_path, what, other):
    """Whatever the result depends on, the times of the rows included."""
    plan = FitContext(settings(3), checkpoints=tmp_path, on_epoch=interrupt_after(0))
    given = {"times": of_times(ROWS, 1)}
    with pytest.raises(PowerCutError):
        fit(plan, **given)
    plan = replace(plan, resume=True, on_epoch=None)
    with pytest.raises(CheckpointError, match=f"written by one of another {what};"):
        fit(replace(plan, **other.pop("plan", {})), **(given | other))
    fit(plan, **given)


def test_a_training_may_resume_on_another_device(tmp_path):
    plan = FitContext(settings(3), checkpoints=tmp_path, on_epoch=interrupt_after(0))
    with pytest.raises(PowerCutError):
        fit(plan)
    training = TrainingConfig(**settings(3).model_dump(exclude={"device"}), device="auto")
    fit(replace(plan, training=training, resume=True, on_epoch=None))


def test_the_model_that_was_gone_on_from_belongs_to_the_training(tmp_path):
    known = fit(FitContext(settings(1)))
    other = fit(FitContext(settings(1), seed=1))
    start = WarmStart(known, np.arange(ROWS.shape[1]))
    plan = FitContext(
        settings(3), checkpoints=tmp_path, on_epoch=interrupt_after(0), warm_start=start
    )
    with pytest.raises(PowerCutError):
        fit(plan)
    plan = replace(plan, resume=True, on_epoch=None)
    for start in (None, WarmStart(other, np.arange(ROWS.shape[1]))):
        with pytest.raises(CheckpointError, match="written by one of another start;"):
            fit(replace(plan, warm_start=start))


def test_a_network_is_not_resumed_from_another_of_the_same_model(tmp_path):
    interrupted(tmp_path)
    changed(tmp_path / "last.safetensors", {"network": "1_sparse_grid"})
    with pytest.raises(CheckpointError, match="written by one of another network;"):
        resumed(tmp_path)


def test_a_model_without_networks_leaves_no_checkpoint(tmp_path):
    fit_model(EASE(EASEConfig()), ROWS, FitContext(settings(1), checkpoints=tmp_path / "a"))
    assert not (tmp_path / "a").exists()
