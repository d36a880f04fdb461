"""The contenders of benchmarks.scoring do the same work."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import scoring

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "ITEMS", 300)
        patch.setattr(scoring, "FACTORS", 8)
        scoring.write_inputs(folder, 50, 2_000)
    return folder


def test_all_write_the_same(folder):
    for command in scoring.commands(folder).values():
        one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=one_thread)
    floor = pq.read_table(folder / "floor.parquet")
    for name, order in (("scores", None), ("scores-by-user", "user_id")):
        expected = floor if order is None else floor.sort_by(order)
        found = pq.read_table(folder / name)
        assert found.drop_columns("score") == expected.drop_columns("score")
        np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-3, atol=1e-5)
    ours = pq.read_table(folder / "lists")
    stored = pq.read_table(folder / "stored.parquet")
    assert ours.num_rows == stored.num_rows == 50 * scoring.K
    np.testing.assert_allclose(ours["score"], stored["score"], rtol=1e-3, atol=1e-5)
    folded_in = pq.read_table(folder / "again")
    np.testing.assert_allclose(ours["score"], folded_in["score"], rtol=1e-3, atol=1e-5)
    again = pq.read_table(folder / "again.parquet")
    assert again["user_id"] == ours["user_id"]


def test_a_row_has_the_ratios_to_what_it_is_compared_with():
    names = [scoring.FLOOR, "score, random order", scoring.AGAIN, scoring.STORED]
    names += ["recommend, folding in", "recommend, stored vectors"]
    runs = {name: scoring.Run(1.0, place + 1.0, 9.0, "", False) for place, name in enumerate(names)}
    rows = {row["job"]: row for row in scoring.table_rows([runs])}
    assert rows["score, random order"][f"CPU ÷ {scoring.FLOOR}"] == "2.00"
    assert rows["recommend, folding in"][f"CPU ÷ {scoring.AGAIN}"] == "1.67"
    assert rows["recommend, stored vectors"][f"CPU ÷ {scoring.STORED}"] == "1.50"
    assert rows["recommend, stored vectors"][f"CPU ÷ {scoring.AGAIN}"] == ""
    assert rows[scoring.FLOOR][f"CPU ÷ {scoring.FLOOR}"] == ""
