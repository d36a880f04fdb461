import math
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import prepare
from benchmarks.measuring.measured_process import Run, machine, run_measured
from benchmarks.measuring.prepare_report import (
    Rounds,
    contenders_table,
    growth_table,
    targets_table,
)
from benchmarks.measuring.synthetic_rows import Form, write_log
from benchmarks.rivals import prepare_bench
from benchmarks.rivals.prepare_duckdb import map_ids


def python(code):
    return run_measured([sys.executable, "-c", code])


def test_a_process_is_measured_with_its_children():
    hold = "import time; x = bytearray(200_000_000); time.sleep(0.3)"
    alone = python(f"{hold}; print('one'); print('two')")
    assert (alone.output, alone.failed) == ("two", False)
    assert 200 < alone.peak_mb < 300
    both = python(
        f"import subprocess, sys; {hold}; subprocess.run([sys.executable, '-c', '{hold}'])"
    )
    assert 400 < both.peak_mb < 600


def test_the_seconds_of_the_processor_are_those_of_a_process_and_its_children():
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    asleep = python("import time; time.sleep(1)")
    assert asleep.cpu_seconds < 0.9 < asleep.seconds
    both = python(
        f"import subprocess, sys\n{busy}\nsubprocess.run([sys.executable, '-c', {busy!r}])"
    )
    assert both.cpu_seconds > 0.6


def test_a_process_that_fails_says_why():
    failed = python("raise SystemExit('no room')")
    assert (failed.output, failed.failed) == ("no room", True)
    late = run_measured([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.1)
    assert (late.output, late.failed) == ("exit status -9", True)
    assert late.seconds < 30


def test_the_machine_is_told_in_a_line():
    assert machine().count("\n") == 1
    assert "DuckDB" in machine()


@pytest.mark.parametrize("form", Form)
def test_duckdb_alone_writes_every_row_with_the_places_of_sorted_ids(form, tmp_path):
    paths = write_log(tmp_path / "log", 2_000, 3, form=form)
    assert map_ids(paths, tmp_path / "out.parquet", "500MB", 1) == 2_000
    read = pd.read_csv if form.suffix == "csv" else pd.read_parquet
    log = pd.concat([read(path) for path in paths])
    expected = pd.DataFrame(
        {
            "user_index": np.unique(log["user_id"], return_inverse=True)[1],
            "item_index": np.unique(log["item_id"], return_inverse=True)[1],
            "timestamp": log["timestamp"].to_numpy(),
            "rating": log["rating"].to_numpy(),
        }
    )
    found = pd.read_parquet(tmp_path / "out.parquet")
    columns = list(expected)
    pd.testing.assert_frame_equal(
        found.sort_values(columns, ignore_index=True),
        expected.sort_values(columns, ignore_index=True),
        check_dtype=False,
    )
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["log"]


def rounds(rows, *runs):
    return Rounds(rows, [Run(seconds, 2 * seconds, peak, "said", False) for seconds, peak in runs])


OURS = rounds(100, (5.0, 900.0), (4.0, 800.0), (9.0, 850.0))
THEIRS = rounds(100, (2.0, 300.0), (2.0, 360.0), (1.0, 100.0))


def test_a_table_has_medians_of_seconds_and_highest_peaks_with_ratios_to_ours():
    table = contenders_table({"recsparse": OURS, "other": THEIRS}).set_index("")
    assert table["seconds"].tolist() == [5.0, 2.0]
    assert table["peak, MB"].tolist() == [900.0, 360.0]
    assert table["from"].tolist() == [4.0, 1.0]
    assert table["to"].tolist() == [9.0, 2.0]
    assert table.loc["other", "seconds ÷ ours"] == 2 / 5
    assert table.loc["other", "peak ÷ ours"] == 360 / 900


def test_a_contender_that_failed_once_has_no_figures_but_its_reason():
    failed = rounds(100, (1.0, 10.0))
    failed.runs.append(Run(0.1, 0.1, 5.0, "no room", True))
    table = contenders_table({"recsparse": OURS, "other": failed}).set_index("")
    assert math.isnan(table.loc["other", "seconds"])
    assert table.loc["other", "said"] == "no room"


def test_growth_is_told_against_the_first():
    table = growth_table([OURS, rounds(400, (21.0, 950.0))])
    assert table["rows ÷ first"].tolist() == [1, 4]
    assert table["seconds ÷ first"].tolist() == [1, 21 / 5]
    assert table["peak ÷ first"].tolist() == [1, 950 / 900]


def test_what_was_asked_stands_beside_what_was_found():
    small = {"recsparse": OURS, "DuckDB alone": THEIRS}
    large = {"recsparse": rounds(400, (21.0, 950.0))}
    peer = {"recsparse": OURS, "recbole": rounds(100, (30.0, 2_900.0))}
    found = targets_table(small, large, [peer]).set_index("what")
    assert found["found"].to_dict() == {
        "peak, MB": 900,
        "seconds ÷ DuckDB alone": 5 / 2,
        "seconds, 4 × the rows": 21 / 5,
        "peak, 4 × the rows": 950 / 900,
        "seconds of recbole, 100 rows, ÷ ours": 30 / 5,
        "peak of recbole, 100 rows, ÷ ours": 2_900 / 900,
    }
    assert found.loc["seconds, 4 × the rows", "asked"] == "at most 4.6"


def test_the_report_has_a_section_a_question(monkeypatch, tmp_path):
    took = {"recsparse": 2.0, "benchmarks.rivals.prepare_duckdb": 1.0}
    monkeypatch.setattr(prepare_bench, "PEERS_PYTHON", tmp_path / "python")
    monkeypatch.setattr(
        prepare_bench, "run_measured", lambda command: Run(took[command[2]], 1.0, 100.0, "", False)
    )
    prepare.run(
        rows=200, files=1, rounds=2, peers="100", folder=tmp_path, out=tmp_path / "report.md"
    )
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "## Preparing logs",
        "### 200 rows",
        "### Growth of recsparse",
        "### Growth of DuckDB alone",
        "### Other libraries, 100 rows",
        "### What was asked",
    ]
    assert "| seconds ÷ DuckDB alone | at most 2.5 | 2 |" in text
