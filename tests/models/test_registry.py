from typing import Literal

import pytest

from recsparse.config import model_section
from recsparse.config.config import Config
from recsparse.config.model_section import ModelSection, known_sections
from recsparse.config.models import BlendConfig
from recsparse.errors import InputError
from recsparse.models.linear.popularity import Popularity
from recsparse.models.registry import build_model, model_class, register

SECTIONS = known_sections()


@pytest.fixture(autouse=True)
def others_do_not_see_these_models(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(model_section, "_SECTIONS", {**SECTIONS})
        yield
    BlendConfig.model_rebuild(force=True)
    Config.model_rebuild(force=True)


class NearestConfig(ModelSection):
    kind: Literal["nearest"] = "nearest"
    power: float = 1.0


class Nearest(Popularity):
    pass


def test_there_is_a_model_for_every_section_of_the_configuration():
    assert len(SECTIONS) == 22
    for kind, section in SECTIONS.items():
        model = model_class(kind)
        assert model.kind == section().kind == kind
        assert section.implementation == f"{model.__module__}:{model.__name__}"


def test_a_model_keeps_the_configuration_that_it_is_built_with():
    for section in SECTIONS.values():
        config = section()
        model = build_model(config)
        assert model.kind == config.kind
        assert model.config is config


def test_a_registered_model_is_built_by_its_kind_alone_and_in_a_blend():
    assert register(NearestConfig)(Nearest) is Nearest
    config = Config(model={"kind": "nearest", "power": 2}).model
    assert config == NearestConfig(power=2)
    assert type(build_model(config)) is Nearest
    assert Nearest.kind == "nearest"
    parts = [{"kind": "nearest", "power": 3}, {"kind": "ease"}]
    blend = Config(model={"kind": "blend", "parts": parts}).model
    assert blend.parts[0] == NearestConfig(power=3)
    assert Config(model=blend).model_dump(mode="json")["model"]["parts"][0]["power"] == 3


def test_a_class_that_no_other_process_can_import_is_refused():
    class Local(Popularity):
        pass

    message = "that another process can import, but .*Local is made in a script, a notebook or a fu"
    with pytest.raises(InputError, match=message):
        register(NearestConfig)(Local)
    script = type("Script", (Popularity,), {"__module__": "__main__"})
    with pytest.raises(InputError, match="but __main__:Script is made in a script"):
        register(NearestConfig)(script)


def test_a_class_that_its_module_does_not_name_is_refused_when_it_is_built():
    class GoneConfig(ModelSection):
        kind: Literal["gone"] = "gone"

    register(GoneConfig)(type("Gone", (Popularity,), {"__module__": __name__}))
    with pytest.raises(InputError, match=r"test_registry:Gone must be a class .* but is None"):
        build_model(GoneConfig())


def test_the_kind_of_another_model_is_refused():
    class EaseTwinConfig(ModelSection):
        kind: Literal["ease"] = "ease"

    with pytest.raises(InputError, match=r"'ease' is that of recsparse.*:EASE and"):
        register(EaseTwinConfig)(Nearest)
    assert known_sections()["ease"] is SECTIONS["ease"]


def test_a_section_without_a_kind_is_refused():
    class Kindless(ModelSection):
        power: float = 1.0

    with pytest.raises(InputError, match=r"Kindless must have a kind .* but has None"):
        register(Kindless)


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="must be known, but got 'eaze'"):
        model_class("eaze")
