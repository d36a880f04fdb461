from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.config.config import Config
from recsparse.config.linear_models import EASEConfig
from recsparse.config.models import BlendConfig
from recsparse.config.toml_reader import load_config, parse_config, parse_space
from recsparse.config.toml_writer import write_toml
from recsparse.errors import ConfigError, MissingFileError


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
    config = load_config(overrides=["text.ngrams=[1, 5]", "split.kind=global_time"])
    assert config.text.ngrams == (1, 5)
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
        ("seed.deep=1.5.2=3", "seed is wrong: it must be a valid integer, but got {'deep'"),
        ("seed=-1", "seed is wrong: it must be greater than or equal to 0, but got -1"),
        ("training.learning_rate=inf", "learning_rate is wrong: it must be a finite number"),
        ("evaluation.metrics=[]", r"evaluation.metrics is wrong: it must have at least 1 item"),
        (
            "evaluation.metrics=['ndcg@0']",
            r"metrics\[0\] is wrong: .*'ndcg@0'",
        ),
        (
            "evaluation.metrics=ndcg@10",
            r"metrics is wrong: it must be a list, as in",
        ),
        ("text.ngrams=[1, 2, 3]", "text.ngrams is wrong: it must have at most 2 items"),
        ("text.ngrams=[1]", r"text.ngrams must have at least 2 values, but got \[1\]"),
        (
            "tracking.experiment=2026",
            "tracking.experiment is wrong: it must be text; put it in quotes, as in",
        ),
        ("training=3", "training must be a section, with keys of epochs, .*, but got 3"),
        ("log.event_weights=3", r"event_weights must be a section, as in {view = 1.0}, but got 3"),
        ("log.event_weights={ease=-1}", "log.event_weights.ease is wrong: .* but got -1"),
        ("model=ease", r'model must be a section, as in {kind = "ease"}, but got \'ease\''),
        ("model.kind=3", "model.kind must be known, but got '3'; known are 'popularity'"),
        (
            "model.parts=[{kind='eas'}]",
            r"model.parts\[0\].kind must be known, but got 'eas'; .*'ease'",
        ),
        ("model.parts=[{l2=1}]", r"model.parts\[0\] must name its kind, as in .*; known are popul"),
        ("model.parts=[3]", r"^--set: model.parts\[0\] must be a section, as in .*, but got 3$"),
        ("model.parts=ease", "model.parts is wrong: it must be a list"),
        (
            "model.parts=[{kind='ease'}, {kind='timeline', training={epoch=3}}]",
            r"unknown key 'model.parts\[1\].training.epoch'; the nearest known is 'epochs'",
        ),
        (
            "model.parts=[{kind='text_ridge', ials={factor=3}}]",
            r"unknown key 'model.parts\[0\].ials.factor'; the nearest known is 'factors'",
        ),
        (f"seed={'1' * 5000}", "seed is wrong: it must be a smaller number"),
        (f"model.parts={'[' * 5000}", "model.parts is wrong: it must be a list"),
        (
            "training..epochs=3",
            "--set must look like training.epochs=20, but got 'training..epochs",
        ),
        ("=3", "--set must look like training.epochs=20, but got '=3'"),
        ("seed=1\nrefit = true", "seed is wrong"),
        ("a\nb=1", "unknown key|must look like"),
        ("training", "must look like training.epochs=20, but got 'training'"),
    ],
)
def test_a_wrong_setting_is_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=3", "unknown key 'epochs'; it is a key of training: set training.epochs"),
        ("training.ngrams=[1, 1]", "it is a key of text: set text.ngrams"),
        ("model.channels=128", "blend has no such key, but .*timeline, .* have it; name one of"),
        ("model.channels=128", "--set model.kind=timeline, .* --set 'model.parts="),
        ("channels=128", "unknown key 'channels'; it is a key of model, where .*timeline"),
    ],
)
def test_a_key_of_another_section_or_kind_is_shown_its_place(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


def test_a_key_of_another_kind_is_shown_its_kinds_inside_a_list():
    parts = "model.parts=[{kind='popularity', regularisation=3.0}]"
    message = r"'model.parts\[0\].regularisation'; popularity has no such key, but ease, "
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[parts])


def test_what_is_wrong_is_said_of_where_it_was_set(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[model]\nkind = "blend"\n[[model.parts]]\nkind = "ease"\nridge = 5.0\n')
    with pytest.raises(ConfigError, match=r"^/.*config.toml has the unknown key 'model.parts\[0\]"):
        load_config(path, ["seed=1"])
    path.write_text("seed = 1\n")
    with pytest.raises(ConfigError, match=r"^--set has the unknown key 'training.epoch'"):
        load_config(path, ["training.epoch=3"])


@pytest.mark.parametrize(
    "content", ["seed = 1\nseed = 2", "[" * 5000, f"seed = {'1' * 5000}", "seed = 2026-13-13"]
)
def test_a_file_that_toml_cannot_read_is_named(tmp_path, content):
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"config.toml must be valid TOML, but"):
        load_config(path)


def test_many_errors_are_told_by_the_first_ones():
    with pytest.raises(ConfigError, match=r"evaluation.metrics\[4\] .*; and 3 more$"):
        load_config(overrides=[f"evaluation.metrics={['ndcg@0'] * 8}"])


KEYS = st.sampled_from(
    [
        "seed", "refit", "log", "split", "text", "features", "order", "model", "training", "kind",
        "evaluation", "tracking", "parts", "weights", "ease", "timeline", "channels", "linear",
        "event_weights", "ngrams", "k", "columns", "folds", "validation_from", "bag_columns",
        "decays", "ials", "bias", "bayes", "regularisation", "epochs", "0", "",
    ]
) | st.text(max_size=3)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | KEYS
    | st.datetimes() | st.dates() | st.times()
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100)
@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_any_values_anywhere_are_a_configuration_or_an_error_of_it(values):
    with suppress(ConfigError):
        parse_config(values)


@settings(max_examples=100)
@given(st.lists(KEYS, min_size=1, max_size=4), VALUES | st.text(max_size=9))
def test_any_override_is_a_setting_or_an_error_of_it(keys, value):
    with suppress(ConfigError):
        load_config(overrides=[f"{'.'.join(keys)}={value!r}", f"{'.'.join(keys)}={value}"])


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
