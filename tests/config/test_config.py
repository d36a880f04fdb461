import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_experiment_name, _validate_model_name

from recsparse.config.toml_reader import load_config, parse_config
from recsparse.errors import ConfigError
from recsparse.metrics.ranking_metrics import BY_TARGETS

NAMES = st.text("aZé0 ./:\\%?#@-_;'\"\n\t\x00", max_size=8) | st.sampled_from(
    ["a" * 256, "a" * 257, "a" * 500, "a" * 501, "team/model", "a:1", ".", "..", "..a", "a/../b"]
)


def accepts(key, name):
    try:
        parse_config({"tracking": {key: name}})
    except ConfigError as error:
        if f"tracking.{key} is wrong" not in str(error):
            raise
        return False
    return True


def mlflow_accepts(judge, name):
    try:
        judge(name)
    except MlflowException:
        return False
    return True


def is_unreadable(name):
    return not name.strip() or any(unicodedata.category(sign) == "Cc" for sign in name)


@given(NAMES)
@example("team/model")
@example("")
def test_registry_names_are_judged_as_mlflow_judges_them(name):
    expected = mlflow_accepts(_validate_model_name, name) and len(name) <= 256
    assert accepts("register_as", name) == (expected and not is_unreadable(name))


@given(NAMES)
@example("/Users/me/experiment")
@example("")
def test_experiment_names_are_judged_as_mlflow_judges_them(name):
    expected = mlflow_accepts(_validate_experiment_name, name)
    assert accepts("experiment", name) == (expected and not is_unreadable(name))


def test_the_error_names_the_key_the_value_and_the_rule():
    message = r"tracking.register_as is wrong: .*no name with '/' or ':'.*but got 'team/model'"
    with pytest.raises(ConfigError, match=message):
        load_config(None, ["tracking.register_as=team/model"])


def test_no_name_of_a_model_is_a_setting():
    assert load_config(None, ["tracking.register_as=none"]).tracking.register_as is None


def test_validation_chooses_by_any_ranking_metric_of_a_user():
    for name in BY_TARGETS:
        chosen = load_config(overrides=[f"evaluation.select_by={name}@7"])
        assert chosen.evaluation.select_by == f"{name}@7"


@pytest.mark.parametrize("metric", ["ndcg", "ndcg@0", "coverage@10", "rmse", "@10", "ndcg@ 10"])
def test_validation_chooses_by_nothing_else(metric):
    message = (
        r"evaluation\.select_by is wrong: .* as my_module:my_metric@10(; the nearest .*)?, but"
    )
    with pytest.raises(ConfigError, match=message):
        parse_config({"evaluation": {"select_by": metric}})


def test_the_list_length_of_older_files_is_read_with_a_warning(caplog):
    old = load_config(overrides=["training.k=20", "training.epochs=2"])
    assert old.evaluation.select_by == "ndcg@20"
    assert old.training.epochs == 2
    assert "now evaluation.select_by, which is 'ndcg@20' here" in caplog.text
    both = load_config(overrides=["training.k=20", "evaluation.select_by=map@5"])
    assert both.evaluation.select_by == "map@5"


def test_the_default_list_length_of_older_files_is_read_in_silence(caplog):
    values = {"training": {"k": 10}, "model": {"kind": "bpr", "training": {"k": 10}}}
    old = parse_config(values)
    assert old.evaluation.select_by == "ndcg@10"
    assert "k" not in old.training.model_dump() | old.model.training.model_dump()
    assert not caplog.text
