import pytest

from recsparse.config.data import LogConfig
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.intake_settings import contradictions, log_of_intake


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["log.where=item_id > 3", "log.strict=true", "log.user_column=who"], []),
        (["log.duplicates=last"], ["log.duplicates"]),
        (["log.duplicates=sum", "split.kind=random", "seed=3"], []),
        (["log.half_life_days=9", "split.last=2", "seed=4"],
         ["seed", "log.half_life_days", "split.last"]),
        (["log.event_weights={view=1, cart=2}"], []),
        (["log.event_weights={cart=2}"], ["log.event_weights"]),
        (["log.event_weights={}"], ["log.event_weights"]),
        (["model.kind=ease", "training.epochs=3"], []),
    ],
)  # fmt: skip
def test_settings_of_the_dataset_are_contradicted_by_other_values_alone(given, expected):
    own = load_config(None, ["log.duplicates=sum", "log.event_weights={view=1}", "seed=3"])
    assert contradictions(own, load_config(None, given)) == expected


def test_weights_of_events_cannot_come_later_to_rows_of_all_types():
    own, given = load_config(), load_config(None, ["log.event_weights={view=1}"])
    assert contradictions(own, given) == ["log.event_weights"]


def test_conditions_and_strictness_are_asked_for_anew_and_names_stay():
    own = LogConfig(where="x > 3", strict=True, user_column="who", duplicates="sum")
    assert log_of_intake(own, LogConfig()) == LogConfig(user_column="who", duplicates="sum")
    given = LogConfig(where="x > 5", item_column="what")
    found = log_of_intake(own, given)
    assert (found.where, found.strict) == ("x > 5", False)
    assert (found.user_column, found.item_column) == ("who", "what")


@pytest.mark.parametrize("blank", ["", " "])
def test_an_empty_condition_is_none(blank):
    assert LogConfig(where=blank).where is None
