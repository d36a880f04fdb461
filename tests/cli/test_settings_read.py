"""Settings that a command does not read are refused, not passed over."""

import inspect

import pytest

from recsparse.cli.settings_read import READ_BY
from recsparse.config.config import Config

ARGUMENTS = {
    "prepare": ["log.parquet", "--out", "made"],
    "describe": ["log.parquet"],
    "train": ["dataset", "--out", "made"],
    "tune": ["dataset", "--out", "best.toml"],
    "evaluate": ["model", "dataset"],
    "evaluate-file": ["scores.parquet", "dataset"],
    "backtest": ["log.parquet", "--models", "ease", "--out", "made"],
    "score": ["model", "--candidates", "pairs.parquet", "--out", "scores.parquet"],
    "recommend": ["model", "--out", "lists.parquet"],
    "vectors": ["model", "--out", "vectors.parquet"],
    "runs": [],
    "promote": ["model", "--over", "models:/shelf@champion", "--on", "dataset"],
}
SOME_KEY = {"seed": "seed=1", "refit": "refit=true", "model": "model.kind=ease"}


def test_each_command_that_takes_settings_says_which_it_reads():
    from recsparse.cli.commands import app

    takes = {
        (each.name or each.callback.__name__).replace("_", "-")
        for each in app.registered_commands
        if "overrides" in inspect.signature(each.callback).parameters
    }
    assert takes == READ_BY.keys()
    assert {section for read in READ_BY.values() for section in read} == Config.model_fields.keys()


@pytest.mark.parametrize("command", READ_BY)
def test_a_setting_that_the_command_does_not_read_is_refused_by_its_name(recsparse, command):
    """Before anything is looked for: none of the inputs is there."""
    for section in Config.model_fields.keys() - {*READ_BY[command]}:
        key = SOME_KEY.get(section, f"{section}.x=1")
        outcome = recsparse(command, *ARGUMENTS[command], "--set", key)
        assert outcome.status == 2
        assert f"settings that recsparse {command} reads" in outcome.err
        assert repr(key) in outcome.err
        readers = [name for name, read in READ_BY.items() if section in read]
        assert readers[0] in outcome.err.rpartition("give it to")[2]


def test_a_file_of_settings_serves_all_commands(recsparse, small_log, workplace):
    (workplace / "job.toml").write_text("refit = true\n[model]\nkind = 'popularity'\n")
    log = small_log / "log.parquet"
    assert recsparse("prepare", log, "--out", "data", "--config", "job.toml").status == 0
    assert recsparse("train", "data", "--out", "model", "--config", "job.toml").status == 0
    outcome = recsparse("recommend", "model", "--out", "a.parquet", "--config", "job.toml")
    assert outcome.status == 0


@pytest.mark.parametrize("command", ["score", "recommend"])
def test_settings_of_a_log_without_a_history_are_refused(recsparse, command):
    outcome = recsparse(command, *ARGUMENTS[command], "--set", "log.user_column=who")
    assert outcome.status == 2
    assert "there is no --history that reads 'log.user_column=who'" in outcome.err


def test_a_key_that_there_is_none_of_is_named_as_ever(recsparse):
    outcome = recsparse("describe", "log.parquet", "--set", "lag.user_column=who")
    assert outcome.status == 2
    assert "unknown key 'lag'" in outcome.err
