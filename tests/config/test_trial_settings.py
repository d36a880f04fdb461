import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.search_space import Range, parse_range
from recsparse.config.toml_reader import load_config, parse_space
from recsparse.config.trial_settings import checked_space, configured, with_settings
from recsparse.errors import ConfigError


@given(
    st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.booleans()
)  # fmt: skip
def test_a_range_is_read_as_it_is_written(one, other, log):
    low, high = sorted((float(f"{one:.12g}"), float(f"{other:.12g}")))
    if low == high:
        with pytest.raises(ConfigError, match="must begin below its end"):
            Range(low, high, log)
        return
    known = Range(low, high, log)
    assert parse_range(str(known), "x") == known


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1..1000 log", Range(1, 1000, log=True)),
        ("-.5 .. .5", Range(-0.5, 0.5)),
        ("1e-4..1e-2 log", Range(1e-4, 1e-2, log=True)),
    ],
)
def test_ranges_of_the_command_line(text, expected):
    assert parse_space([f"x={text}"]) == {"x": expected}


@pytest.mark.parametrize("text", ["a..b", "1..", "..1", "1..2 lin", "1..2 log log", "1..inf"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ConfigError, match=r"x.*range|range of x|ends of a range"):
        parse_space([f"x={text}"])


def test_a_setting_of_the_training_is_laid_over_that_of_the_configuration():
    config = load_config(None, ["model.kind=mult_vae", "training.epochs=7"])
    tried = with_settings(config, {"training.learning_rate": 0.25, "dropout": 0.125})
    assert (tried.model.training.epochs, tried.model.training.learning_rate) == (7, 0.25)
    assert tried.model.dropout == 0.125
    # That of other networks stays as it was.
    assert tried.training == config.training
    assert configured(config, "training.epochs") == 7
    assert configured(tried, "training.learning_rate") == 0.25
    own = with_settings(load_config(None, ["model.kind=bpr"]), {"training.epochs": 3})
    assert own.model.training.learning_rate == 1e-2


def test_a_value_that_only_other_settings_forbid_is_left_to_the_trials():
    config = load_config(None, ["model.kind=sasrec"])
    assert checked_space(config, {"heads": [1, 5], "channels": [50, 65]})
    with pytest.raises(ConfigError, match="channels must be a multiple of heads"):
        with_settings(config, {"heads": 5})


def test_whole_numbers_are_drawn_where_the_setting_takes_them_alone():
    config = load_config(None, ["model.kind=ials"])
    space = checked_space(config, {"factors": "8..64 log", "regularisation": "0.1..1"})
    assert space["factors"] == Range(8, 64, log=True, integer=True)
    assert space["regularisation"] == Range(0.1, 1)
    assert checked_space(config, {"factors": [8, 8, 16]}) == {"factors": [8, 16]}
