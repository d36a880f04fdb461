import numpy as np
import pandas as pd
import pytest

from benchmarks.large_start import NUM_ITEMS, ROWS_A_USER, WANTED, commands, made_model, table_rows
from benchmarks.measuring.measured_process import Run


def run(cpu, mb):
    return Run(9.0, cpu, 400.0, "", False, mb)


def test_a_row_has_medians_and_the_medians_of_ratios_within_rounds():
    base = "the libraries alone"
    rounds = [
        {base: run(2.0, 200.0), "score": run(3.0, 330.0)},
        {base: run(4.0, 200.0), "score": run(5.0, 360.0)},
        {base: run(2.0, 200.0), "score": run(2.5, 345.0)},
    ]
    assert table_rows(rounds)[1] == {
        "command": "score", "CPU s": 3.0, "÷ libraries": pytest.approx(5 / 4),
        "anonymous MB": 345.0,
    }  # fmt: skip


def test_the_model_has_the_rows_that_the_table_speaks_of():
    history, times = made_model(WANTED).rows.whole()
    assert history.shape == times.shape == (WANTED, NUM_ITEMS)
    assert set(np.diff(history.indptr)) == {ROWS_A_USER}
    assert history.has_canonical_format


def test_the_jobs_are_of_users_whom_the_model_knows(tmp_path):
    found = commands(tmp_path, 5 * WANTED)
    assert [*found] == ["the libraries alone", "score", "recommend", "recommend --history"]
    users = pd.read_parquet(tmp_path / "users.parquet")["user_id"]
    assert users.nunique() == WANTED
    assert set(users) <= {3 * place for place in range(5 * WANTED)}
    assert set(pd.read_parquet(tmp_path / "history.parquet")["user_id"]) <= set(users)
