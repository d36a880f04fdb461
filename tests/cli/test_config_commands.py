import json
import tomllib

from recsparse.config.config import Config


def test_all_settings_are_shown_with_their_defaults(recsparse, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    shown = recsparse("config")
    assert shown.status == 0
    assert "learning_rate" in shown.out
    assert "model.kind = ease" in shown.out


def test_a_section_or_a_kind_of_model_is_shown_alone(recsparse, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    shown = recsparse("config", "ease").out
    assert "popularity_exponent" in shown
    assert "learning_rate" not in shown
    assert "half_life_days" in recsparse("config", "log").out


def test_the_unit_of_a_setting_is_shown(recsparse, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    head, *rows = [
        line
        for line in recsparse("config", "training").out.splitlines()
        if "┃" in line or "│" in line
    ]
    assert [name.strip() for name in head.strip("┃").split("┃")][:4] == [
        "key",
        "default",
        "unit",
        "values",
    ]
    epochs = next(row for row in rows if "patience" in row)
    assert [cell.strip() for cell in epochs.strip("│").split("│")][:3] == [
        "patience",
        "5",
        "epochs",
    ]


def test_an_unknown_section_is_refused_with_the_nearest_one(recsparse):
    refused = recsparse("config", "trainings")
    assert refused.status == 2
    assert "the nearest known is 'training'" in refused.err


def test_files_and_editors_get_toml_and_a_schema(recsparse):
    values = tomllib.loads(recsparse("config", "--toml").out)
    assert Config.model_validate(values) == Config()
    schema = json.loads(recsparse("config", "--json-schema").out)
    assert "training" in schema["properties"]


def test_the_version_is_that_of_the_package(recsparse):
    import recsparse as package

    assert recsparse("--version").out == f"recsparse {package.__version__}\n"


def test_short_and_long_help_are_the_same_of_every_command(recsparse):
    for words in ([], ["train"], ["config"]):
        assert recsparse(*words, "-h").out == recsparse(*words, "--help").out
