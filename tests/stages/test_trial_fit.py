"""A model of one's own that could not be loaded again is refused before its training."""

import logging
import time
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from recsparse.config import model_section
from recsparse.config.config import Config
from recsparse.config.model_section import ModelSection, known_sections
from recsparse.config.models import BlendConfig
from recsparse.config.training import TrainingConfig
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError
from recsparse.models.protocol.objective import RowsOfMatrix
from recsparse.models.protocol.recommender import NetworkRecommender, Recommender
from recsparse.models.protocol.stored_arrays import load_network
from recsparse.models.registry import register
from recsparse.stages.rank_part import part_to_rank
from recsparse.stages.train import train
from recsparse.stages.trial_fit import try_own_models
from recsparse.stages.tune import tune


class OwnConfig(ModelSection):
    kind: Literal["own"] = "own"


@pytest.fixture
def registered(monkeypatch):
    """Registers a class under the kind `own` for one test, whatever other test had it before."""
    before = known_sections()

    def section_of(model):
        monkeypatch.setattr(model_section, "_SECTIONS", {**before})
        register(OwnConfig)(model)
        return OwnConfig()

    with monkeypatch.context():
        yield section_of
    monkeypatch.undo()
    BlendConfig.model_rebuild(force=True)
    Config.model_rebuild(force=True)


@pytest.fixture(scope="module")
def data(small_dataset):
    return load_dataset(small_dataset)


class Good(Recommender):
    """Item vectors, of which the first is the popularity and the second a noise of the fit."""

    def fit(self, interactions, context=None):
        counts = torch.from_numpy(np.asarray(interactions.sum(axis=0)).ravel()).float()
        self.items = torch.stack([counts, torch.rand(len(counts))], dim=1)
        self.num_items = len(counts)
        return self

    def score_batch(self, history, times=None):
        users = torch.from_numpy(np.asarray(history.sum(axis=1))).float()
        return users * self.items.sum(dim=1)

    def state(self):
        return {"items": self.items}

    @classmethod
    def from_state(cls, config, state):
        model = cls(config)
        model.items = state["items"]
        model.num_items = len(model.items)
        return model


class WithoutItems(Good):
    @classmethod
    def from_state(cls, config, state):
        return cls(config)


class Forgetful(Good):
    def state(self):
        return {"items": self.items[:, :1]}


class Renaming(Good):
    def state(self):
        return {"vectors": self.items}


class Anew(Good):
    @classmethod
    def from_state(cls, config, state):
        return super().from_state(config, {"items": torch.rand_like(state["items"])})


class Stateless(Good):
    def state(self):
        return None


class Nothing(Good):
    @classmethod
    def from_state(cls, config, state):
        model = super().from_state(config, state)
        model.num_items += 1


class Double(Good):
    def score_batch(self, history, times=None):
        return super().score_batch(history).double()


class OfOneUser(Good):
    def score_batch(self, history, times=None):
        return super().score_batch(history)[0]


class Unbounded(Good):
    def score_batch(self, history, times=None):
        return super().score_batch(history).neg().sqrt()


class Failing(Good):
    def score_batch(self, history, times=None):
        return history.no_such_thing


class OtherTensors(Good):
    @classmethod
    def from_state(cls, config, state):
        model = super().from_state(config, state)
        model.items = torch.cat([model.items, model.items * 0], dim=1)
        return model


class Picky(Good):
    """Fits none of so few rows."""

    def fit(self, interactions, context=None):
        raise InputError("more rows, please")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (WithoutItems, "from_state must return a model with num_items = 20, .* has 0"),
        (Forgetful, "score_batch differs after Forgetful.from_state by up to .* in state"),
        (Renaming, "from_state must rebuild .* but raised KeyError: 'items'"),
        (Anew, "score_batch differs after Anew.from_state by up to"),
        (Stateless, "state must return a dict of tensors by name, but returns a NoneType"),
        (Nothing, "from_state must return the model, but returns a NoneType"),
        (Double, r"score_batch must .* but returns torch.float64 of \(\d+, 20\)"),
        (OfOneUser, r"score_batch must .* float32 and \(\d+, 20\), .* returns torch.*\(20,\)"),
        (Unbounded, "score_batch must return finite scores, but some are not"),
        (Failing, "score_batch raised AttributeError for rows that it was fitted on: '?"),
        (OtherTensors, "state of the rebuilt one differs in .*'items'"),
    ],
)
@pytest.mark.parametrize("in_a_blend", [False, True])
def test_what_could_not_be_loaded_again_is_refused(registered, data, model, message, in_a_blend):
    section = registered(model)
    config = BlendConfig(parts=(section,)) if in_a_blend else section
    name = model.__name__
    with pytest.raises(InputError, match=rf"^the class .*:{name} must give .*{name}\.{message}"):
        try_own_models(config, data, part_to_rank(data, "validation"), seed=0)


def test_train_and_tune_refuse_it_before_they_record_anything(registered, small_dataset, workplace):
    config, before = Config(model=registered(Forgetful)), [*workplace.iterdir()]
    with pytest.raises(InputError, match=r"Forgetful\.score_batch differs"):
        train(small_dataset, "model", config)
    with pytest.raises(InputError, match=r"Forgetful\.score_batch differs"):
        tune(small_dataset, config, "best.toml")
    assert [*workplace.iterdir()] == before


def test_a_fit_of_so_few_rows_may_fail(registered, data, caplog):
    section = registered(Picky)
    with caplog.at_level(logging.DEBUG):
        try_own_models(section, data, part_to_rank(data, "validation"), seed=0)
    assert "no trial of Picky: its fit on a few rows failed" in caplog.text


def test_our_own_models_are_not_tried(data, monkeypatch):
    monkeypatch.setattr("recsparse.stages.trial_fit._try", None)
    try_own_models(BlendConfig(), data, part_to_rank(data, "validation"), seed=0)


class Tied(nn.Module):
    """Two names of one matrix of weights, and a vector that no gradient reaches."""

    def __init__(self, num_items):
        super().__init__()
        self.first = nn.Linear(num_items, num_items, bias=False)
        self.second = nn.Linear(num_items, num_items, bias=False)
        self.second.weight = self.first.weight
        self.still = nn.Parameter(torch.zeros(num_items))

    def forward(self, rows):
        return self.second(self.first(rows)) + self.still.detach()


class Squares(RowsOfMatrix):
    def loss(self, batch):
        rows = batch.to_dense()[0, 0]
        return (self.network(rows) - rows).square().mean()


class Network(NetworkRecommender):
    left_out: tuple[str, ...] = ()

    def fit(self, interactions, context=None):
        self.num_items = interactions.shape[1]
        self.network = Tied(self.num_items)
        self._train(Squares(self.network, interactions, TrainingConfig(epochs=100)), context)
        return self

    def score_batch(self, history, times=None):
        with torch.inference_mode():
            return self.network(torch.from_numpy(history.toarray()).float()).clone()

    def state(self):
        whole = self.network.state_dict()
        return {name: value for name, value in whole.items() if name not in self.left_out}

    @classmethod
    def from_state(cls, config, state):
        model = cls(config)
        model.num_items = len(state["first.weight"])
        model.network = Tied(model.num_items)
        load_network(model.network, {**model.network.state_dict(), **state})
        return model


class WithoutTheStill(Network):
    left_out = ("still",)


def test_a_network_is_tried_in_less_than_half_a_second(registered, data):
    section, part = registered(Network), part_to_rank(data, "validation")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    started = time.perf_counter()
    try_own_models(section, data, part, seed=0)
    assert time.perf_counter() - started < 0.5
    assert torch.equal(torch.rand(1), expected)


def test_a_parameter_that_starts_at_zero_and_is_not_saved_is_found(registered, data):
    section = registered(WithoutTheStill)
    with pytest.raises(InputError, match=r"WithoutTheStill.score_batch differs after"):
        try_own_models(section, data, part_to_rank(data, "validation"), seed=0)
