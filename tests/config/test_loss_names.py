"""The names of losses in a configuration, and which of them import a module of the caller's."""

import sys

import pytest

from recsparse.config.event_models import SASRecConfig
from recsparse.config.key_table import json_schema, settings
from recsparse.config.network_models import BPRConfig
from recsparse.config.toml_reader import load_config, parse_config, parse_space
from recsparse.errors import ConfigError


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module on the path that holds a loss and is not imported."""
    (tmp_path / "losses_of_mine.py").write_text("def mine(*scores):\n    return scores\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "losses_of_mine"
    sys.modules.pop("losses_of_mine", None)


@pytest.mark.parametrize(
    ("kind", "loss", "message"),
    [
        ("bpr", "sotfmax", "it must be bpr or softmax, or module:function .*nearest .*'softmax'"),
        ("sasrec", "bpr", "it must be softmax, or module:function of your own; known are"),
        ("light_gcn", "mine", r"model.*loss is wrong: it must be bpr or softmax"),
    ],
)
def test_an_unknown_loss_is_refused_with_those_of_the_model(kind, loss, message):
    with pytest.raises(ConfigError, match=message):
        parse_config({"model": {"kind": kind, "loss": loss}})


def test_a_loss_in_the_caller_s_own_words_is_imported(module):
    config = load_config(None, ["model.kind=sasrec", f"model.loss={module}:mine"])
    assert config.model == SASRecConfig(loss=f"{module}:mine")
    assert module in sys.modules


def test_so_is_that_of_a_part_of_a_blend(module):
    config = load_config(None, [f"model.parts=[{{kind='sasrec', loss='{module}:mine'}}]"])
    assert config.model.parts == (SASRecConfig(loss=f"{module}:mine"),)
    assert module in sys.modules


def test_a_loss_that_a_search_tries_is_imported(module):
    tried = parse_space([f"loss=['bpr', '{module}:mine']"])
    assert tried == {"loss": ["bpr", f"{module}:mine"]}
    assert module in sys.modules


def test_a_loss_that_a_folder_names_is_not(module):
    found = parse_config({"model": {"kind": "bpr", "loss": f"{module}:mine"}})
    assert found.model == BPRConfig(loss=f"{module}:mine")
    assert module not in sys.modules


def test_a_loss_whose_module_is_missing_is_refused():
    message = "model.loss must name a module that can be imported, but 'gone' cannot be: .*PYTHONPA"
    with pytest.raises(ConfigError, match=message):
        load_config(None, ["model.kind=bpr", "model.loss=gone:loss"])


def test_readers_and_editors_are_shown_both():
    known = {(each.section, each.name): each.values for each in settings()}
    assert known["model.kind = bpr", "loss"] == "bpr, softmax, module:name"
    assert known["model.kind = timeline", "loss"] == "softmax, module:name"
    loss = json_schema()["$defs"]["BPRConfig"]["properties"]["loss"]
    assert loss["anyOf"][0] == {"enum": ["bpr", "softmax"]}
