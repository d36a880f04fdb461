"""Modules of users' own are made in a folder on the path; each test has names of its own."""

import sys

import pytest

from recsparse.config import model_section
from recsparse.config.config import Config
from recsparse.config.model_kinds import find_section, with_known_kinds
from recsparse.config.models import BlendConfig
from recsparse.config.toml_reader import load_config, parse_config
from recsparse.errors import ConfigError

MODULE = """
from typing import Literal
from recsparse.config.model_section import ModelSection
from recsparse.models.linear.popularity import Popularity
from recsparse.models.registry import register

class {kind}Config(ModelSection):
    kind: Literal["{kind}"] = "{kind}"
    power: float = 1.0

@register({kind}Config)
class {kind}(Popularity):
    pass

class Bare(Popularity):
    kind = "bare"
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    def make(kind):
        (tmp_path / f"module_of_{kind}.py").write_text(MODULE.format(kind=kind))
        return f"module_of_{kind}"

    monkeypatch.syspath_prepend(tmp_path)
    before = {*sys.modules}
    with monkeypatch.context() as patch:
        patch.setattr(model_section, "_SECTIONS", {**model_section._SECTIONS})
        yield make
    for name in {*sys.modules} - before:
        if name.startswith("module_of_"):
            del sys.modules[name]
    BlendConfig.model_rebuild(force=True)
    Config.model_rebuild(force=True)


def test_a_class_named_on_the_line_is_the_model_and_its_keys_are_known(module):
    name = f"{module('mine')}:mine"
    config = load_config(None, [f"model.kind={name}", "model.power=2"])
    assert (config.model.kind, config.model.power) == ("mine", 2.0)
    with pytest.raises(ConfigError, match=r"unknown key 'model\.powr'; the nearest known is 'pow"):
        load_config(None, [f"model.kind={name}", "model.powr=2"])


def test_a_class_named_in_the_caller_s_file_is_a_part_of_a_blend(module, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(f'[[model.parts]]\nkind = "{module("partly")}:partly"\npower = 3.0\n')
    (part,) = load_config(path).model.parts
    assert (part.kind, part.power) == ("partly", 3.0)


def test_what_is_not_the_caller_s_own_file_imports_nothing(module):
    name = module("stranger")
    with pytest.raises(ConfigError, match=f"must be known, but got '{name}:stranger'.*PLUGINS"):
        parse_config({"model": {"kind": f"{name}:stranger"}})
    assert name not in sys.modules


def test_modules_of_the_environment_are_imported_where_a_kind_is_not_known(module, monkeypatch):
    name = module("told")
    assert find_section("told") is None
    monkeypatch.setenv("RECSPARSE_PLUGINS", f" , {name}")
    assert find_section("ease") is not None
    assert name not in sys.modules
    assert parse_config({"model": {"kind": "told"}}).model.power == 1.0


def test_an_installed_package_offers_its_models_as_entry_points(module, tmp_path):
    about = tmp_path / "offering-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    entry = f"[recsparse.models]\noffered = {module('offered')}:offered\n"
    (about / "entry_points.txt").write_text(entry)
    assert parse_config({"model": {"kind": "offered"}}).model.power == 1.0


def test_a_module_that_is_not_there_is_refused_by_its_name(module, monkeypatch):
    with pytest.raises(ConfigError, match=r"model.kind must name a module .* 'nowhere' cannot be"):
        load_config(None, ["model.kind=nowhere:Model"])
    monkeypatch.setenv("RECSPARSE_PLUGINS", "nowhere")
    with pytest.raises(ConfigError, match=r"variable RECSPARSE_PLUGINS must .* put its folder on"):
        find_section("eaze")


def test_a_module_whose_kind_is_taken_is_refused_without_talk_of_the_path(module):
    name = module("popularity")
    with pytest.raises(ConfigError, match=f"'{name}' cannot be: a kind must be") as caught:
        load_config(None, [f"model.kind={name}:popularity"])
    assert str(caught.value).endswith("rename the kind of one of them")


@pytest.mark.parametrize("name", ["Bare", "Literal"])
def test_something_that_is_no_registered_model_of_that_module_is_refused(module, name):
    place = f"{module('other')}:{name}"
    with pytest.raises(ConfigError, match=f"registered class, but {place} is none; put @register"):
        load_config(None, [f"model.kind={place}"])


def test_a_name_that_the_module_does_not_have_is_refused(module):
    with pytest.raises(ConfigError, match="must name something in module_of_more, but it has no"):
        load_config(None, [f"model.kind={module('more')}:Missing"])


def test_anything_else_than_a_section_is_left_for_the_check():
    assert with_known_kinds(None, True) is None
    assert with_known_kinds("ease", True) == "ease"
    assert with_known_kinds({"parts": 3}, True) == {"parts": 3}
