import json
import os

import numpy as np
import pandas as pd
import pytest

from benchmarks import grids
from recsparse.datasets.indexed_rows import open_indexed


@pytest.fixture
def rows_file(tmp_path, monkeypatch):
    monkeypatch.setattr(grids, "CHUNK_USERS", 7)
    grids.write_rows(tmp_path / "train.arrow", 1000)
    return tmp_path / "train.arrow"


def test_the_synthetic_rows_are_sorted_as_those_of_a_dataset(rows_file):
    frame = open_indexed(rows_file).to_pandas()
    assert sorted(set(frame.user_index)) == list(range(1000 // grids.ROWS_OF_USER))
    assert frame.item_index.between(0, 1000 // grids.ROWS_OF_ITEM - 1).all()
    by_time = frame.sort_values(["user_index", "timestamp"], kind="stable")
    assert by_time.index.tolist() == list(range(len(frame)))


@pytest.mark.parametrize("name", grids.SPECS)
def test_every_grid_is_measured_whole(rows_file, name, monkeypatch, capsys):
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: None, raising=False)
    grids.measure(rows_file, name)
    line = json.loads(capsys.readouterr().out)
    frame = open_indexed(rows_file).to_pandas()
    assert line["rows"] == len(frame)
    if name.startswith("user × item,") or name == "user × item":
        assert line["cells"] == len(frame.drop_duplicates(["user_index", "item_index"]))
    assert 0 < line["cells"] <= len(frame)


def test_a_log_without_times_has_activities_without_times(tmp_path):
    log = pd.DataFrame({"user_id": ["b", "a", "b"], "item_id": [5, 5, 9], "timestamp": [3, 7, 1]})
    log.to_parquet(tmp_path / "log.parquet")
    matrix, (users, items) = grids.interactions(tmp_path / "log.parquet")
    assert matrix.toarray().tolist() == [[1, 0], [1, 1]]
    assert users.first_event.tolist() == [7, 1]
    assert items.weight.tolist() == [2, 1]
    log.drop(columns="timestamp").to_parquet(tmp_path / "log.parquet")
    _, (users, _) = grids.interactions(tmp_path / "log.parquet")
    assert np.isnan(users.first_event).all()
