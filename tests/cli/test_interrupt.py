"""Signals: a command ends within seconds, whatever it is doing, and says how to resume."""

import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from recsparse.cli import interrupt
from recsparse.datasets.synthetic import synthetic_log
from tests.conftest import SMALL_NETWORK

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
SECONDS = 3
# So many epochs that none of these ends before its signal comes.
SETTINGS = [*SMALL_NETWORK, "training.epochs=900", "training.patience=900"]
LONG = [part for each in SETTINGS for part in ("--set", each)]


def started(*arguments, cwd):
    code = [sys.executable, "-m", "recsparse", *map(str, arguments)]
    return subprocess.Popen(
        code, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process, number, waits_for):
    """Send a signal once something is true; return status, seconds and what was said."""
    deadline = time.monotonic() + 120
    while not waits_for() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    sent = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    return process.returncode, time.monotonic() - sent, said


def checkpoint_of(folder):
    return lambda: (folder / "model.checkpoints" / "last.safetensors").is_file()


@pytest.mark.parametrize("number", STATUS)
def test_an_interrupted_training_says_how_to_resume_and_its_run_is_killed(
    small_dataset, workplace, number
):
    process = started("train", small_dataset, "--out", "model", *LONG, cwd=workplace)
    status, seconds, said = ended(process, number, checkpoint_of(workplace))
    assert (status, seconds < SECONDS) == (STATUS[number], True)
    line = said.strip().splitlines()[-1]
    assert line.startswith("interrupted: model.checkpoints keeps all complete epochs; resume with")
    assert line.endswith(f"--out model {' '.join(LONG)} --resume`")
    assert "Traceback" not in said
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name("recsparse").experiment_id])
    assert [run.info.status for run in found] == ["KILLED"]


BODIES = {
    "libraries that swallow exceptions": """
while True:
    try:
        time.sleep(30)
    except BaseException:
        pass
""",
    "compiled code that looks for no signals": "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)",
    "libraries that make another exception of it": """
try:
    time.sleep(30)
except BaseException:
    raise RuntimeError("Query interrupted") from None
""",
    "libraries that exit by themselves": """
try:
    time.sleep(30)
except BaseException:
    sys.exit(1)
""",
    "imports": """
pathlib.Path("slow.py").write_text("import time; time.sleep(0.5); done = True")
sys.path.insert(0, ".")
import slow
pathlib.Path("imported").touch()
time.sleep(30)
""",
    "work in another thread": """
thread = threading.Thread(target=time.sleep, args=(30,))
thread.start()
thread.join()
""",
}


SCRIPT = """
import hashlib, pathlib, sys, threading, time
from recsparse.cli.exit import exit_on_error
from recsparse.cli.interrupt import ending_on_signals
def work():
    pathlib.Path("ready").touch()
"""
ENDING = """
with ending_on_signals():
    exit_on_error(work)
"""
LATE = """
import atexit, pathlib, time
from recsparse.cli.interrupt import ending_on_signals
with ending_on_signals(for_good=True):
    atexit.register(lambda: (pathlib.Path("ready").touch(), time.sleep(30)))
"""


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_while_python_shuts_down_ends_it_likewise(tmp_path, number):
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", LATE], cwd=tmp_path, text=True, stderr=pipe, stdout=pipe
    )
    status, seconds, said = ended(process, number, (tmp_path / "ready").is_file)
    assert (status, seconds < SECONDS) == (STATUS[number], True)
    assert said == "interrupted: all was done before\n"


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_while_modules_are_taken_apart_changes_no_status(tmp_path, number):
    """By then Python has put its own handlers back."""
    (tmp_path / "script.py").write_text(
        textwrap.dedent(
            """
            import time
            from pathlib import Path
            from recsparse.cli import interrupt

            class Late:
                def __del__(self, sleep=time.sleep, ready=Path("ready").touch):
                    ready()
                    sleep(1)

            late = Late()
            with interrupt.ending_on_signals(for_good=True):
                pass
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    status, _, said = ended(process, number, (tmp_path / "ready").is_file)
    assert (status, said) == (0, "")


@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize("body", BODIES)
def test_a_signal_ends_whatever_is_done(tmp_path, number, body):
    script = SCRIPT + textwrap.indent(BODIES[body].strip(), "    ") + ENDING
    (tmp_path / "script.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    status, seconds, said = ended(process, number, (tmp_path / "ready").is_file)
    assert (status, seconds < SECONDS) == (STATUS[number], True)
    assert said.count("\n") == 1
    assert (tmp_path / "imported").exists() == (body == "imports")
    assert said.startswith("interrupted: nothing new is kept; start again with `recsparse")


def test_handlers_are_put_back_where_no_signal_came():
    before = [signal.getsignal(number) for number in STATUS]
    with interrupt.ending_on_signals():
        assert [signal.getsignal(number) for number in STATUS] != before
    assert [signal.getsignal(number) for number in STATUS] == before


def test_the_command_that_goes_on_is_quoted_and_has_each_option_once(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["recsparse", "train", "a b", "--fresh", "--out", "m"])
    assert interrupt.command("--resume", without="--fresh") == (
        "recsparse train 'a b' --out m --resume"
    )
    monkeypatch.setattr(sys, "argv", ["recsparse", "train", "--resume"])
    assert interrupt.command("--resume") == "recsparse train --resume"


def test_what_is_kept_is_looked_for(tmp_path):
    assert "no epoch was complete" in interrupt.training_kept(tmp_path / "model")
    assert "no part was complete" in interrupt.parts_kept(tmp_path / "scores")
    (tmp_path / "scores.parts").mkdir()
    for number in (0, 1):
        (tmp_path / "scores.parts" / f"part-{number:08d}.parquet").touch()
    assert "keeps 2 complete parts; resume with" in interrupt.parts_kept(tmp_path / "scores")
    assert "no model was complete" in interrupt.cells_kept(tmp_path / "over_time")
    (tmp_path / "over_time.cells").mkdir()
    (tmp_path / "over_time.cells" / "cell-0-0-1.parquet").touch()
    assert "keeps 1 complete fit; resume with" in interrupt.cells_kept(tmp_path / "over_time")


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A log, a dataset, a model and candidates that keep every command busy for a while."""
    folder = tmp_path_factory.mktemp("busy")
    log = synthetic_log(20_000, 3_000, 1_000_000, seed=0).table
    pq.write_table(log, folder / "log.parquet")
    part = log[:300_000]
    pq.write_table(part, folder / "part.parquet")
    pairs = pa.concat_tables([part.select(["user_id", "item_id"])] * 4)
    pq.write_table(pairs, folder / "candidates.parquet")
    quick = ("model.kind=ials", "model.factors=8", "model.iterations=2")
    for command in (
        ["prepare", "part.parquet", "--out", "dataset"],
        [
            "train",
            "dataset",
            "--out",
            "model",
            *(part for each in quick for part in ("--set", each)),
        ],
    ):
        subprocess.run([sys.executable, "-m", "recsparse", *command], cwd=folder, check=True)
    return folder


COMMANDS = {
    "prepare": ["log.parquet", "--out", "other"],
    "train": ["dataset", "--out", "other", "--set", "model.kind=ease"],
    "tune": ["dataset", "--out", "best.toml", "--set", "model.kind=ials"],
    "evaluate": ["model", "dataset"],
    "score": ["model", "--candidates", "candidates.parquet", "--out", "scores"],
    "recommend": ["model", "--out", "lists"],
    "similar": ["model", "--out", "lists"],
    "vectors": ["model", "--of", "item", "--out", "vectors"],
    "describe": ["dataset"],
}


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.3, 1.5, 3])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_long_command_ends_within_seconds(busy, tmp_path, name, after):
    """In imports, in DuckDB, in torch, in MLflow, wherever it may be by then."""
    with ExitStack() as running:
        jobs = {}
        for number in STATUS:
            folder = Path(shutil.copytree(busy, tmp_path / number.name))
            job = running.enter_context(started(name, *COMMANDS[name], cwd=folder))
            running.callback(job.kill)
            jobs[number] = folder, job
        time.sleep(after)
        for number, (folder, job) in jobs.items():
            if job.poll() is not None:
                assert job.communicate()
                assert job.returncode == 0
                continue
            status, seconds, said = ended(job, number, lambda: True)
            if status == 0:  # it was done, and Python was shutting down
                continue
            assert (status, seconds < SECONDS) == (STATUS[number], True), said
            assert said.strip().splitlines()[-1].startswith("interrupted: ")
            left = {path.name for path in folder.iterdir()}
            assert not left & {"other", "scores", "lists", "best.toml"}
