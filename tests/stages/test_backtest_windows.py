"""Backtests that cannot be made, and windows that are left out."""

import pandas as pd
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.errors import ConfigError, InputError
from recsparse.stages.backtest import backtest
from tests.backtest_logs import DAY, MODELS, START, config_of, rows_of


@pytest.fixture
def log(workplace):
    rows_of(30).to_parquet("log.parquet")
    return workplace / "log.parquet"


def test_a_window_without_rows_is_left_out_and_named(log, caplog):
    frame = pd.read_parquet(log)
    day = (frame["timestamp"] - START) // DAY
    # Windows start on the days 15, 20 and 25.
    frame[(day < 20) | (day >= 25)].to_parquet("hole.parquet")
    config = config_of("backtest.validation=8d", "backtest.until='2023-12-14'")
    result = backtest("hole.parquet", MODELS, "out", config)
    assert [split.name for split in result.splits] == ["window 1", "window 3"]
    assert "window 2 (2023-12-04 00:00 to 2023-12-09 00:00) is left out" in caplog.text
    with pytest.raises(InputError, match=r"window 3 .* must have validation rows .* longer --val"):
        backtest("hole.parquet", MODELS, "out", config_of("backtest.until='2023-12-14'"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["backtest.windows=6"], r"6 windows of 5d.*30.0 days.*; 4 would; set --windows 4, or"),
        (["backtest.history=20d"], "each with 20d of history.*; 1 would; set --windows 1, or"),
        (["backtest.every=40d"], "none would; set shorter --every"),
        (["backtest.until='2024-06-01'"], "none of the 3 from 2024-05-17 .* has any.*set --until"),
        (["evaluation.catalogue=common"], "must be known, all or new in a backtest"),
    ],
)
def test_windows_that_do_not_fit_are_refused(log, settings, message):
    with pytest.raises(InputError, match=message):
        backtest(log, MODELS, "out", config_of(*settings))
    assert not (log.parent / "out").exists()


def test_logs_without_times_are_refused_and_folds_take_them(log):
    frame = pd.read_parquet(log)
    frame.drop(columns="timestamp").to_parquet("untimed.parquet")
    with pytest.raises(
        InputError, match=r"need a time for every row, but 1,200 of 1,200 .* --folds"
    ):
        backtest("untimed.parquet", MODELS, "out", config_of())
    frame["timestamp"] = frame["timestamp"].astype("Int64").mask(frame.index == 7)
    frame.to_parquet("partly.parquet")
    with pytest.raises(InputError, match="but 1 of 1,200 in"):
        backtest("partly.parquet", MODELS, "out", config_of())
    folds = load_config(None, ["backtest.folds=2", "evaluation.metrics=['all@5']"])
    assert len(backtest("untimed.parquet", MODELS, "out", folds).splits) == 2


def test_what_a_model_lacks_is_said_with_the_window(log):
    with pytest.raises(InputError, match=r"in window 1 \(2023-11-28 .*\): .*features"):
        backtest(log, ["text_ridge"], "out", config_of())


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([], InputError, "at least one, of different names, but are none"),
        (["ease", "ease"], InputError, "but are ease, ease"),
        (["eese"], ConfigError, "nearest known is 'ease'"),
    ],
)
def test_models_that_cannot_be_told_apart_or_are_none_are_refused(log, models, error, message):
    with pytest.raises(error, match=message):
        backtest(log, models, "out", config_of())
