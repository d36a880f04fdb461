import pytest

from benchmarks import prepare_forms
from benchmarks.measuring.measured_process import Run
from benchmarks.measuring.prepare_report import Rounds
from benchmarks.measuring.synthetic_rows import Form
from benchmarks.prepare_forms import row_of_form

OURS = Rounds(100, [Run(seconds, 2 * seconds, 90.0, "", False) for seconds in (5.0, 4.0, 9.0)])
THEIRS = Rounds(100, [Run(2.0, 8.0, 30.0, "", False)])


def test_a_row_has_medians_of_both_contenders_and_their_ratios():
    found = row_of_form(Form.CSV_TEXT, {"recsparse": OURS, "DuckDB alone": THEIRS})
    assert list(found.values()) == ["csv-text", 10.0, 8.0, 10 / 8, 5.0, 2.0, 5 / 2, 90.0, 30.0]


def test_a_contender_that_fails_is_told():
    failed = Rounds(100, [Run(1.0, 1.0, 1.0, "no room", True)])
    with pytest.raises(RuntimeError, match=r"DuckDB alone must prepare csv-text, but .* no room"):
        row_of_form(Form.CSV_TEXT, {"recsparse": OURS, "DuckDB alone": failed})


def test_the_command_prepares_integer_ids_in_csv(tmp_path):
    prepare_forms.run(
        rows=2_000, files=2, rounds=1, forms="csv-integer", folder=tmp_path, out=tmp_path / "out.md"
    )
    text = (tmp_path / "out.md").read_text(encoding="utf-8")
    assert "## Preparing 2,000 rows, by files and ids" in text
    assert text.count("| csv-integer |") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out.md"]
