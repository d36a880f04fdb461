import pytest

from recsparse.config import Config
from recsparse.config_file import load_config, parse_config, parse_space
from recsparse.errors import ConfigError, MissingFileError
from recsparse.linear_config import EASEConfig
from recsparse.model_config import BlendConfig
from recsparse.toml_file import write_toml


def test_without_a_file_everything_has_its_default():
    assert load_config() == Config()


def test_a_file_and_overrides_are_read_in_this_order(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("seed = 3\n[training]\nepochs = 7\npatience = 2\n")
    config = load_config(path, ["training.epochs=9", "model.kind=ease", "model.regularisation=5"])
    assert config.seed == 3
    assert (config.training.epochs, config.training.patience) == (9, 2)
    assert config.model == EASEConfig(regularisation=5.0)


def test_a_model_section_without_a_kind_is_the_default_model():
    config = load_config(overrides=["model.parts=[{kind = 'ease', regularisation = 5.0}]"])
    assert config.model == BlendConfig(parts=(EASEConfig(regularisation=5.0),))
    assert load_config(overrides=["model={}"]).model == Config().model == BlendConfig()


def test_values_follow_toml_and_bare_words_are_strings():
    config = load_config(overrides=["evaluation.k=[1, 5]", "split.kind=global_time"])
    assert config.evaluation.k == (1, 5)
    assert config.split.kind == "global_time"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=3", "unknown key 'training.epoch'; the nearest known is 'epochs'"),
        ("trainin.epochs=3", "unknown key 'trainin'; the nearest known is 'training'"),
        ("model.part=3", "unknown key 'model.part'; the nearest known is 'parts'"),
        (
            "model={kind = 'sparse_grid', linear = {regularization = 3}}",
            "the nearest known is 'regularisation'",
        ),
        (
            "model.kind=eaze",
            "model.kind must be known, but got 'eaze'; the nearest known is 'ease'",
        ),
        ("training.epochs=0", "training.epochs is wrong: .*greater than or equal to 1, but got 0"),
        ("seed.deep=1.5.2=3", "seed.deep is a value|seed is wrong"),
        ("training", "must look like training.epochs=20, but got 'training'"),
    ],
)
def test_a_wrong_setting_is_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


def test_an_override_below_a_value_is_refused():
    with pytest.raises(ConfigError, match="'seed' is a value, not a section"):
        load_config(overrides=["seed=1", "seed.deep=2"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"nowhere\.toml is not a file"):
        load_config(tmp_path / "nowhere.toml")


def test_a_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("seed = = 3")
    with pytest.raises(ConfigError, match=r"config.toml must be valid TOML"):
        load_config(path)


def test_a_configuration_survives_its_own_dump():
    config = load_config(overrides=["model.kind=ials", "text.columns=['title']"])
    assert parse_config(config.model_dump(mode="json")) == config


def test_a_search_space_lists_the_values_of_each_key() -> None:
    tries = ["factors=[32, 64]", 'kind = ["a"]']
    assert parse_space(tries) == {"factors": [32, 64], "kind": ["a"]}


@pytest.mark.parametrize("text", ["factors", "factors=32", "=[1]", "factors=[1"])
def test_a_search_space_without_a_list_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--try must look like"):
        parse_space([text])


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"split is wrong.*must leave something.*0\.5 \+ 0\.5"):
        load_config(overrides=["split.test=0.5", "split.validation=0.5"])


def test_none_can_be_named_where_a_setting_may_be_none_and_is_no_text():
    config = load_config(overrides=["model.kind=sparse_grid", "model.linear=none"])
    assert config.model.linear is None
    assert load_config(overrides=["tracking.experiment=none"]).tracking.experiment == "none"
    assert load_config(overrides=["log.where=none"]).log.where == "none"
    with pytest.raises(ConfigError, match="epochs is wrong"):
        load_config(overrides=["training.epochs=none"])


def test_a_configuration_survives_being_written(tmp_path):
    overrides = ["model.kind=sparse_grid", "model.linear=none", "model.unobserved_weight=0.2"]
    config = load_config(overrides=overrides)
    write_toml(tmp_path / "config.toml", config.model_dump(mode="json"))
    assert load_config(tmp_path / "config.toml") == config


@pytest.mark.parametrize("weights", ["[1.0]", "[1.0, 2.0, 3.0]", "[0.0, 0.0]", "[-1.0, 1.0]"])
def test_a_blend_has_one_weight_a_part(weights):
    parts = "model.parts=[{kind='ease'}, {kind='popularity'}]"
    with pytest.raises(ConfigError, match="weights"):
        load_config(overrides=[parts, f"model.weights={weights}"])
