import json

import numpy as np
import pandas as pd
import pytest

DAY = 86_400


@pytest.fixture
def log(workplace):
    rng, size = np.random.default_rng(0), 600
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(0, 20, size),
            "item_id": rng.integers(0, 40, size),
            "timestamp": 1_700_000_000 + np.sort(rng.integers(0, 30 * DAY, size)),
        }
    )
    frame.to_parquet("log.parquet")


CUT = ["--windows", 2, "--every", "5d", "--gap", "1d", "--history", "15d"]


def test_a_backtest_is_one_command(recsparse, log, workplace):
    command = ["backtest", "log.parquet", "--models", "popularity,item_knn", "--out", "out", *CUT]
    outcome = recsparse(*command)
    assert outcome.status == 0, outcome.err
    assert "ndcg@10 over 2 splits" in outcome.out
    assert "popularity over" in outcome.out.replace("\n", " ")
    assert "Backtest of popularity, item_knn" in (workplace / "out" / "report.html").read_text()
    table = pd.read_parquet("out/table.parquet")
    told = json.loads(recsparse(*command, "--json", "--quiet").out)
    assert [(each["model"], each["metric"]) for each in told] == [
        *zip(table["model"], table["metric"], strict=True)
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", "7x"], "backtest.every is wrong: it must be a whole number and a unit"),
        (["--windows", 0], "backtest.windows is wrong"),
        (["--folds", 3, "--windows", 3], "folds take the place of windows"),
        (["--windows", 9, "--every", "5d"], "9 windows of 5d"),
        (["--until", "soon"], "backtest.until is wrong"),
        (["--folds", 3, "--set", "split.kind=global_time"], "must go with --folds"),
    ],
)
def test_what_cannot_be_cut_so_is_said_in_the_words_of_the_command(
    recsparse, log, workplace, options, message
):
    outcome = recsparse(
        "backtest", "log.parquet", "--models", "popularity", "--out", "out", *options
    )
    assert outcome.status == 2
    assert message in outcome.err
    assert not (workplace / "out").exists()


def test_an_output_that_is_not_ours_is_left_alone(recsparse, log, workplace):
    (workplace / "out").mkdir()
    (workplace / "out" / "mine.txt").write_text("mine")
    outcome = recsparse("backtest", "log.parquet", "--models", "popularity", "--out", "out", *CUT)
    assert outcome.status == 2
    assert "mine.txt" in outcome.err
    (workplace / "best.toml").write_text("[model]\nkind = 'popularity'\n")
    outcome = recsparse("backtest", "log.parquet", "--models", "best.toml", "--out", "best.toml")
    assert outcome.status == 2
    assert "must lie apart" in outcome.err


def test_an_interruption_tells_of_the_fits_that_are_kept(recsparse, log, workplace, monkeypatch):
    told = []
    monkeypatch.setattr("recsparse.cli.backtest_commands.when_interrupted", told.append)
    command = ["backtest", "log.parquet", "--models", "popularity", "--out", "out", "--windows", 9]
    assert recsparse(*command, "--every", "5d").status == 2
    (workplace / "out.cells").mkdir()
    (workplace / "out.cells" / "cell-0-0-0.parquet").touch()
    assert "out.cells keeps 1 complete fit; resume with `recsparse" in told[0]()
