"""A dataset without what a model needs is refused before anything is fitted or recorded."""

import re
from typing import Literal

import pytest
from pydantic import Field

from recsparse.config import model_section
from recsparse.config.config import Config
from recsparse.config.linear_models import EASEConfig
from recsparse.config.model_section import ModelSection, known_sections
from recsparse.config.models import BlendConfig
from recsparse.config.network_models import BPRConfig, SparseGridConfig
from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import ConfigError, InputError
from recsparse.models.linear.popularity import Popularity
from recsparse.models.registry import register
from recsparse.stages.needs import needs_of, require_needs
from recsparse.stages.train import train
from recsparse.stages.tune import tune
from tests.prepared import prepared

ROWS = [(f"u{number % 5}", f"i{number * number % 11}") for number in range(40)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A dataset without times, text and weights."""
    folder = tmp_path_factory.mktemp("bare")
    prepared(folder, ROWS, ["split.validation=0.2"], times=[None] * len(ROWS))
    return folder / "dataset"


TIMES = r"needs the time of each interaction, but no row of the training part has one; prepare a"
WORDS = r"needs features of the items, but the dataset has none; prepare the log with --items"
USERS = "needs features of the users, but the dataset has none; prepare the log with --users, and"
KIND = "or choose another kind of model"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["kind=timeline"], f"^the model timeline {TIMES} log with .*, {KIND}"),
        (["kind=next_item_ridge"], f"^the model next_item_ridge {TIMES}"),
        (["kind=popularity", "recent_days=9"], f"^recent_days of the model popularity {TIMES}"),
        (["kind=ease", "window_events=4"], f"^window_events of .* {TIMES}.* leave window_ev.* out"),
        (["kind=ease", "recency_decay=0.5"], f"^recency_decay of the model ease {TIMES}"),
        (["kind=sparse_ease", "recency_decay=0.5"], f"^recency_decay of .* sparse_ease {TIMES}"),
        (["kind=sparse_grid", "linear.window_events=4"], f"^linear.window_events of .* {TIMES}"),
        (["kind=sparse_grid", "features=all"], f"^features of the model sparse_grid {WORDS}"),
        (["kind=content_knn"], f"^the model content_knn {WORDS}.*, {KIND}"),
        (["kind=text_ridge"], f"^the model text_ridge {WORDS}"),
        (["kind=text_tower"], f"^the model text_tower {WORDS}"),
        (["kind=user_ridge"], f"^the model user_ridge {USERS}.*, {KIND}"),
        (["parts=[{kind='ials'}, {kind='user_ridge'}]"], f"^the model user_ridge {USERS}"),
        (["parts=[{kind='ials'}, {kind='timeline'}]"], f"^the model timeline {TIMES}"),
        (["kind=rating_bias"], "^the model rating_bias needs weights that are ratings, but all of"),
    ],
)
def test_what_a_model_needs_is_asked_for_by_train_and_tune(bare, workplace, settings, message):
    config = load_config(None, [f"model.{each}" for each in settings])
    before = [*workplace.iterdir()]
    with pytest.raises(InputError, match=message):
        train(bare, "model", config)
    with pytest.raises(InputError, match=message):
        tune(bare, config, "best.toml", space={})
    assert [*workplace.iterdir()] == before


def test_what_every_trial_lacks_is_told_before_the_first_one(bare, workplace):
    config, before = load_config(None, ["model.kind=ease"]), [*workplace.iterdir()]
    with pytest.raises(InputError, match=TIMES):
        tune(bare, config, "best.toml", space={"recency_decay": [0.9, 0.5]})
    assert [*workplace.iterdir()] == before


def test_a_trial_that_lacks_something_is_recorded_and_does_not_end_the_search(bare, workplace):
    config = load_config(None, ["model.kind=ease"])
    trials = tune(bare, config, "best.toml", space={"recency_decay": [0.5, 1.0]}).trials
    assert trials["recency_decay"].tolist() == [1.0, 0.5]
    assert trials["state"].tolist() == ["complete", "failed"]
    assert re.search(TIMES, trials["reason"][1])
    assert load_config("best.toml").model.recency_decay == 1.0


@pytest.mark.parametrize("kind", known_sections())
def test_a_dataset_with_times_and_text_has_what_all_models_of_ranking_need(kind, small_dataset):
    section, data = known_sections()[kind](), load_dataset(small_dataset)
    if not {"ratings", "user_features"} & needs_of(section).keys():
        require_needs(section, data)


def test_the_page_of_models_says_what_each_needs(request):
    page = (request.config.rootpath / "docs/reference/models/index.md").read_text()
    rows = re.findall(r"^\| (\[`.*?) \| .* \|(.*) \|$", page, re.MULTILINE)
    said = {kind: cell.strip() for kinds, cell in rows for kind in re.findall(r"\[`(\w+)`", kinds)}
    words = {
        "times": {"times"},
        "features of items": {"item_features"},
        "features of users": {"user_features"},
        "ratings as weights": {"ratings"},
    }
    assert said.keys() == known_sections().keys()
    for kind, cell in said.items():
        assert needs_of(known_sections()[kind]()).keys() == words.get(cell, set()), kind


class DemandingConfig(ModelSection):
    kind: Literal["demanding"] = "demanding"
    needed: dict[str, str] = Field(default_factory=dict)


class Demanding(Popularity):
    def needs(self):
        return self.config.needed or ["times"]


@pytest.fixture
def of_demanding(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(model_section, "_SECTIONS", known_sections())
        register(DemandingConfig)(Demanding)
        yield lambda needed: DemandingConfig(needed=needed)
    BlendConfig.model_rebuild(force=True)
    Config.model_rebuild(force=True)


@pytest.mark.parametrize(
    ("needed", "message"),
    [
        (
            {"weights": "kind"},
            "^the model demanding needs weights that differ, but all of them",
        ),
        ({"times": "needed"}, f"^needed of the model demanding {TIMES}"),
        (
            {"pictures": "kind"},
            r"Demanding.needs must return some of times, item_features, user_features, w",
        ),
        ({}, r"as in \{'times': 'kind'\}, but returns \['times'\]"),
    ],
)
def test_a_model_of_one_s_own_says_what_it_needs(bare, of_demanding, needed, message):
    with pytest.raises(InputError, match=message):
        require_needs(of_demanding(needed), load_dataset(bare))


def test_weights_that_differ_are_found(tmp_path, of_demanding):
    data = prepared(tmp_path, [(*row, number % 3) for number, row in enumerate(ROWS)])
    require_needs(of_demanding({"weights": "kind"}), data)


def test_a_loss_that_nobody_told_of_is_refused_with_the_needs(bare):
    blend = BlendConfig(parts=(EASEConfig(), BPRConfig(loss="stranger:loss")))
    with pytest.raises(ConfigError, match="loss is stranger:loss, of a module that this"):
        require_needs(blend, load_dataset(bare))


def test_the_linear_term_of_the_grid_is_given_times():
    config = SparseGridConfig(linear=EASEConfig(recency_decay=0.5))
    assert needs_of(config) == {"times": "linear.recency_decay"}
