import pytest

from recsparse.config.event_models import SASRecConfig
from recsparse.config.linear_models import EASEConfig
from recsparse.config.model_section import known_sections
from recsparse.errors import ConfigError, InputError
from recsparse.models.event_networks.sasrec import SASRec
from recsparse.models.linear.ease import EASE
from recsparse.models.registry import model_class


@pytest.mark.parametrize("kind", sorted(known_sections()))
def test_every_model_takes_its_settings_by_name(kind):
    found = model_class(kind)()
    assert found.config == known_sections()[kind]()


def test_settings_by_name_are_those_of_the_configuration():
    assert EASE(regularisation=100).config == EASEConfig(regularisation=100)
    assert SASRec(channels=8).config == SASRecConfig(channels=8)
    assert EASE(EASEConfig(regularisation=7)).config.regularisation == 7


def test_a_wrong_setting_is_named_with_the_nearest_one():
    with pytest.raises(ConfigError, match="'regularisation'"):
        EASE(regularization=100)
    with pytest.raises(ConfigError, match="EASE"):
        EASE(regularisation=-1)


def test_a_configuration_and_settings_exclude_each_other():
    with pytest.raises(InputError, match="regularisation is named as well"):
        EASE(EASEConfig(), regularisation=100)


def test_a_model_shows_what_is_not_the_default():
    assert repr(EASE()) == "<EASE(), not fitted>"
    assert repr(EASE(regularisation=100)) == "<EASE(regularisation=100.0), not fitted>"
