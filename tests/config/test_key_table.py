import re
import tomllib

import pytest
from pydantic import BaseModel

from recsparse.config.config import Config
from recsparse.config.key_table import commented_toml, json_schema, settings
from recsparse.config.toml_reader import load_config


def test_every_setting_says_what_it_means():
    assert [f"{each.section} {each.name}" for each in settings() if not each.meaning] == []


def test_every_setting_of_every_section_is_there():
    found = {(each.section, each.name) for each in settings()}
    for name, value in Config():
        if name == "model":
            continue
        if isinstance(value, BaseModel):
            assert {(name, key) for key in type(value).model_fields} <= found
        else:
            assert ("", name) in found
    assert ("model.kind = ease", "regularisation") in found
    assert ("model.kind = sasrec", "training") in found


def numbers_without_a_unit(field, place=""):
    """Yield the places of a schema that hold a number but do not say what it counts."""
    if isinstance(field, dict):
        if field.get("type") in ("integer", "number") and "unit" not in field:
            yield place
        for name, inner in field.items():
            yield from numbers_without_a_unit(inner, f"{place}/{name}")
    elif isinstance(field, list):
        for number, inner in enumerate(field):
            yield from numbers_without_a_unit(inner, f"{place}/{number}")


def test_every_number_says_what_it_counts():
    assert [*numbers_without_a_unit(json_schema())] == []
    # Whoever adds a number without a unit is told where.
    wrong = {"properties": {"most": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}
    assert [*numbers_without_a_unit(wrong)] == ["/properties/most/anyOf/0"]


@pytest.mark.parametrize(
    ("section", "name", "unit"),
    [
        ("log", "half_life_days", "days"),
        ("log", "min_user_rows", "rows"),
        ("split", "validation", "share 0..1"),
        ("text", "ngrams", "tokens"),
        ("log", "event_weights", "none"),
        ("training", "epochs", "epochs"),
        ("training", "device", "none"),
        ("model.kind = ease", "most_items", "items"),
        ("model.kind = next_item_ridge", "decays", "share 0..1"),
    ],
)
def test_a_setting_has_a_unit(section, name, unit):
    known = {(each.section, each.name): each.unit for each in settings()}
    assert known[section, name] == unit


def test_comments_and_the_schema_have_the_units():
    assert " Unit: days.\n# half_life_days = none\n" in commented_toml()
    assert "# Users per step. Unit: users.\nbatch_users = 128\n" in commented_toml()
    assert "Unit: none" not in commented_toml()
    training = json_schema()["$defs"]["TrainingConfig"]["properties"]
    assert (training["epochs"]["unit"], training["epochs"]["minimum"]) == ("epochs", 1)
    assert "unit" not in training["device"]


def test_a_setting_has_its_default_its_values_and_bounds():
    known = {(each.section, each.name): each for each in settings()}
    assert known["text", "ngrams"].values == "list of integer ≥ 1"
    rate = known["training", "learning_rate"]
    assert (rate.default, rate.values) == ("0.001", "number > 0")
    assert known["training", "stop_after"].default == "none"
    assert known["training", "stop_after"].values == "integer ≥ 1, none"
    assert known["log", "event_weights"].default == "{}"
    assert known["log", "duplicates"].values == "last, sum, keep"


def test_the_toml_of_all_defaults_is_the_default_configuration(tmp_path):
    path = tmp_path / "all.toml"
    path.write_text(commented_toml(), encoding="utf-8")
    assert load_config(path) == Config()


@pytest.mark.parametrize("kind", ["ease", "sasrec", "sparse_grid"])
def test_the_section_of_another_model_is_valid_without_its_comment_signs(kind):
    _, _, after = commented_toml().partition(f'# kind = "{kind}"\n')
    lines = after.partition("\n\n")[0].splitlines()
    settings = [line[2:] for line in lines if re.match(r"# \w+ = (?!none$)", line)]
    values = tomllib.loads("\n".join(settings))
    assert values
    model = Config.model_validate({"model": {"kind": kind, **values}}).model
    assert model == Config.model_validate({"model": {"kind": kind}}).model


def test_the_schema_for_editors_explains_keys_and_refuses_unknown_ones():
    schema = json_schema()
    training = schema["$defs"]["TrainingConfig"]
    assert training["properties"]["batch_users"]["description"] == "Users per step."
    assert training["additionalProperties"] is False
