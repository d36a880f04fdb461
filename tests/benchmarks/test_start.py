import pytest

from benchmarks.measuring.measured_process import Run
from benchmarks.start import commands, step_rows, table_rows


def test_a_row_has_medians_and_the_medians_of_ratios_within_rounds():
    def run(cpu, peak):
        return Run(seconds=9.0, cpu_seconds=cpu, peak_mb=peak, output="", failed=False)

    base = "the libraries alone"
    rounds = [
        {base: run(2.0, 300.0), "score": run(3.0, 330.0)},
        {base: run(4.0, 300.0), "score": run(5.0, 360.0)},
        {base: run(2.0, 300.0), "score": run(2.5, 345.0)},
    ]
    first, second = table_rows(rounds)
    assert first["CPU s"] == 2.0
    assert first["CPU s ÷ libraries"] == first["peak MB ÷ libraries"] == 1.0
    assert second["CPU s"] == 3.0
    assert second["CPU s ÷ libraries"] == pytest.approx(5 / 4)
    assert second["peak MB ÷ libraries"] == pytest.approx(345 / 300)


def test_a_row_of_a_step_has_the_medians_of_its_rounds():
    first, second, third = (
        [
            {"step": "reading", "CPU s": seconds, "MB": 2.0},
            {"step": "scoring", "CPU s": 1, "MB": mb},
        ]
        for seconds, mb in ((0.3, 1.0), (0.1, 7.0), (0.2, 4.0))
    )
    assert step_rows([first, second, third]) == [
        {"step": "reading", "CPU s": 0.2, "MB": 2.0},
        {"step": "scoring", "CPU s": 1, "MB": 4.0},
    ]


@pytest.mark.slow
def test_the_commands_name_files_that_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = commands(tmp_path)
    assert list(found) == [
        "the libraries alone", "with one array", "score", "recommend", "config", "--help",
    ]  # fmt: skip
    assert (tmp_path / "model" / "model.toml").is_file()
    assert (tmp_path / "candidates.parquet").is_file()
