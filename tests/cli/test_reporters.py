"""A log gets plain lines, a terminal gets bars; what a command prints stays clean of both."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pandas as pd
import pytest

from recsparse.cli import reporters as module
from recsparse.cli.exit import exit_on_error
from recsparse.cli.main import app
from recsparse.cli.reporters import LogReporter, TerminalReporter, progress, speaker
from recsparse.reporting.progress import SILENT
from tests.cli.conftest import lines, sets

BLEND = sets([
    'model.parts=[{kind="popularity"}, {kind="sparse_grid", factors=4, hidden=8, '
    "item_iterations=1, linear='none', training={epochs=2}}]",
])  # fmt: skip


@contextmanager
def terminal(monkeypatch):
    """Have a terminal as standard error; the text that it was sent is in the list afterwards."""
    parent, child = pty.openpty()
    sent = []

    def listen():
        while True:
            try:
                found = os.read(parent, 2**16)
            except OSError:  # the end of a terminal on Linux
                return
            if not found:
                return
            sent.append(found)

    thread = threading.Thread(target=listen)
    thread.start()
    stream = os.fdopen(child, "w")
    text = []
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", "150")
        yield text
    stream.close()
    thread.join()
    os.close(parent)
    text.append(b"".join(sent).decode())


def test_a_log_says_what_starts_what_it_reaches_and_what_is_left(capfd):
    reporter = speaker()
    assert isinstance(reporter, LogReporter)
    with reporter.task("fitting", 2) as advance:
        advance(0)
        advance(1, "half")
        with reporter.task("part 1 of 2, ease"):
            pass
    out, err = capfd.readouterr()
    assert out == ""
    assert lines(err) == [
        "fitting",
        "fitting: half, 50 %, 0:00:00 so far, some 0:00:00 left",
        "fitting · part 1 of 2, ease",
    ]


def test_a_log_is_never_without_a_line_for_long(capfd, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_OF_SILENCE", 0.05)
    reporter = LogReporter()
    with reporter.task("sorting"), reporter.task("reading", 1_000_000) as advance:
        advance(0)
        advance(250_000)
        time.sleep(0.4)
    said = lines(capfd.readouterr().err)
    assert said[:2] == ["sorting", "sorting · reading"]
    assert 2 <= len(said[2:]) <= 9
    pattern = r"sorting · reading: 250,000 of 1,000,000, 25 %, 0:00:0\d so far, some 0:00:0\d left"
    assert all(re.fullmatch(pattern, line) for line in said[2:])
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_what_a_resumed_job_did_before_does_not_shorten_what_is_left(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    work = module._Work("training", 100, first=80, done=90, started=clock[0])
    clock[0] += 60
    assert work.state() == "90 of 100, 90 %, 0:01:00 so far, some 0:01:00 left"


def test_a_log_holds_no_control_characters_of_names(capfd):
    with LogReporter().task("scoring \x1b[31mred\r\n"):
        pass
    assert lines(capfd.readouterr().err) == ["scoring  [31mred"]


def test_a_job_outlives_the_reader_of_its_log(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        with LogReporter().task("work"):
            pass
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            pipe.flush()
        with pytest.raises(BrokenPipeError):
            pipe.close()


def test_a_variable_of_the_environment_makes_no_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    assert isinstance(speaker(), LogReporter)


def test_nothing_is_said_where_that_is_wanted():
    assert progress(quiet=True) is SILENT


def test_a_terminal_shows_bars_of_parts_and_nothing_stays(monkeypatch):
    with terminal(monkeypatch) as sent:
        reporter = speaker()
        assert isinstance(reporter, TerminalReporter)
        with reporter.task("fitting [blend]"), reporter.task("part 1 of 2", 4) as advance:
            advance(2, "epoch 1 of at most 2")
            reporter.say("[a line] between")
            reporter.bars.refresh()
    (shown,) = sent
    for text in ("fitting [blend]", "part 1 of 2: epoch 1 of at most 2", "50%", "[a line] between"):
        assert text in shown
    assert reporter.bars is None


def test_a_training_in_a_log_tells_its_parts_epochs_and_quality(recsparse, small_dataset, capfd):
    words = ["train", str(small_dataset), "--out", "model", *BLEND, "--json"]
    with pytest.raises(SystemExit):
        exit_on_error(lambda: app(words))
    out, err = capfd.readouterr()
    assert json.loads(out)["model"] == "model"
    said = lines(err)
    fit = "fitting blend · part 2 of 2, sparse_grid"
    fits = said[said.index("fitting blend") :]
    assert fits[1:3] == ["fitting blend · part 1 of 2, popularity", fit]
    epochs = [line for line in said if "epoch" in line]
    assert len(epochs) == 2
    for number, line in enumerate(epochs, start=1):
        start = rf"{fit} · training: epoch {number} of at most 2, validation ndcg 0\.\d{{4}}"
        assert re.match(rf"{start}.*, {50 * number} %, .* left$", line), line
    assert "fitting blend · weighing the parts" in fits[3:]


def test_a_training_on_a_terminal_shows_no_bars_of_another_library(
    recsparse, small_dataset, monkeypatch, capfd
):
    words = ["train", str(small_dataset), "--out", "model", *BLEND, "--json"]
    with terminal(monkeypatch) as sent, pytest.raises(SystemExit):
        exit_on_error(lambda: app(words))
    (shown,), out = sent, capfd.readouterr().out
    assert json.loads(out)["model"] == "model"
    assert "part 2 of 2, sparse_grid" in shown
    assert "training: epoch 2 of at most 2, validation ndcg 0." in shown
    assert "Epoch " not in shown


def test_a_search_tells_its_trials_with_their_settings_and_metric(recsparse, small_dataset, capfd):
    words = ["tune", str(small_dataset), "--out", "best.toml", "--set", "model.kind=item_knn"]
    words += ["--try", "neighbours=[1, 9]", "--try", "shrinkage=[0.0]"]
    with pytest.raises(SystemExit):
        exit_on_error(lambda: app(words))
    said = "\n".join(lines(capfd.readouterr().err))
    first = "tuning item_knn: trial 1 of 2, neighbours 1, shrinkage 0.0"
    assert re.search(rf"{first}, 0 %, ", said)
    assert re.search(rf"{first}: ndcg@10 0\.\d{{4}}, 50 %, .* left", said)
    assert re.search(r"trial 2 of 2, neighbours 9, shrinkage 0\.0: ndcg@10 .*, 100 %", said)


def test_a_quiet_command_says_nothing_of_its_progress(recsparse, small_dataset, capfd):
    words = ["train", str(small_dataset), "--out", "model", "--set", "model.kind=popularity"]
    with pytest.raises(SystemExit):
        exit_on_error(lambda: app([*words, "--quiet", "--json"]))
    out, err = capfd.readouterr()
    assert json.loads(out)["model"] == "model"
    assert err == ""


def test_scores_and_lists_tell_their_parts_and_how_much_is_left(
    recsparse, trained_folder, workplace, capfd
):
    pd.DataFrame({"user_id": [0, 1, 2], "item_id": [2, 3, 4]}).to_parquet("pairs.parquet")
    model = str(trained_folder / "popularity")
    words = ["score", model, "--candidates", "pairs.parquet", "--out", "scores.parquet"]
    with pytest.raises(SystemExit):
        exit_on_error(lambda: app(words))
    said = lines(capfd.readouterr().err)
    assert said[1:4] == ["loading the model", "looking through the candidates", "scoring"]
    assert re.fullmatch(r"scoring: part 1, 3 rows, 100 %, .* left", said[4])
    with pytest.raises(SystemExit):
        exit_on_error(lambda: app(["recommend", model, "--out", "lists"]))
    said = lines(capfd.readouterr().err)
    assert re.fullmatch(r"recommending: part 1, 40 users, 100 %, .* left", said[-1])


@pytest.mark.slow
def test_a_process_without_a_terminal_writes_lines_to_its_log(workplace, small_log):
    words = ["prepare", small_log / "log.parquet", "--out", "dataset", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "recsparse", *words], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["log_rows"] == 400
    assert any(line.startswith("reading the log") for line in lines(done.stderr))
