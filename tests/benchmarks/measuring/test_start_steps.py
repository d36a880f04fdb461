import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.measuring.start_steps import steps, taken
from recsparse.scoring.model_folder import load_model

MEBIBYTES = 64


def test_a_step_has_its_own_seconds_and_the_growth_of_memory():
    kept = []
    idle, busy = taken(
        {"idle": lambda: None, "busy": lambda: kept.append(b"1" * MEBIBYTES * 2**20)}
    )
    assert (idle["step"], busy["step"]) == ("idle", "busy")
    assert idle["MB"] == pytest.approx(0, abs=5)
    assert busy["MB"] == pytest.approx(MEBIBYTES * 2**20 / 1e6, abs=5)
    assert 0 <= idle["CPU s"] < busy["CPU s"]


def test_the_last_step_scores(trained_folder, tmp_path):
    folder, out = trained_folder / "sparse_grid", tmp_path / "scores.parquet"
    known = load_model(folder)
    pairs = pa.table({"user_id": known.users.ids[:2], "item_id": known.items.ids[:2]})
    pq.write_table(pairs, tmp_path / "pairs.parquet")
    taken(steps(str(folder), str(tmp_path / "pairs.parquet"), str(out)))
    assert pq.read_table(out).column_names == ["user_id", "item_id", "score"]
