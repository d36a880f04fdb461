import pandas as pd
import pytest

from benchmarks.measuring.measured_process import Run
from benchmarks.rivals import prepare_bench
from benchmarks.rivals.prepare_bench import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, files=2, rounds=1, memory="200MB", threads=1)


def test_prepare_and_duckdb_run_from_end_to_end_and_leave_only_the_log(bench, tmp_path):
    found = bench.against_duckdb(2_000)
    assert {name: each.failure for name, each in found.items()} == {
        "recsparse": "",
        "DuckDB alone": "",
    }
    assert found["DuckDB alone"].runs[0].output.endswith("2000 rows")
    assert [path.name for path in tmp_path.iterdir()] == ["log-2000-parquet-text"]


def test_peers_that_are_not_there_are_left_out_with_the_cure(bench, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(prepare_bench, "PEERS_PYTHON", tmp_path / "python")
    monkeypatch.setattr(bench, "_prepare", lambda logs: lambda: Run(1.0, 1.0, 1.0, "", False))
    assert list(bench.against_peers(200, 1)) == ["recsparse"]
    assert "make bench-data-peers" in capfd.readouterr().err


def test_peers_get_the_rows_in_the_form_that_they_read(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(prepare_bench, "PEERS_PYTHON", tmp_path)
    commands = []

    def record(command):
        commands.append(command)
        return Run(1.0, 1.0, 1.0, "", False)

    monkeypatch.setattr(prepare_bench, "run_measured", record)
    assert len(bench.against_peers(200, 1)) == len(commands) == 5
    named = {tuple(command[3:5]): command[5:] for command in commands[1:]}
    (folder,) = named["recbole", "load"]
    atomic = pd.read_csv(f"{folder}/log/log.inter", sep="\t")
    log = pd.concat([pd.read_parquet(path) for path in named["rectools", "split"]])
    assert list(atomic) == ["user_id:token", "item_id:token", "rating:float", "timestamp:float"]
    assert atomic["item_id:token"].tolist() == log["item_id"].tolist()
    assert atomic["timestamp:float"].tolist() == log["timestamp"].tolist()
