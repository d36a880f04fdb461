"""The page on serving: its Python, and its requests to a server on this machine."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.stages.train import train
from tests.conftest import SMALL_NETWORK
from tests.scoring.served import parsed_strictly

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "serve.md"

pytestmark = pytest.mark.slow


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def my_model(small_dataset, workplace, monkeypatch):
    """A store with the model that the page speaks of."""
    settings = [*SMALL_NETWORK, "tracking.register_as=my_model"]
    made = train(small_dataset, workplace / "model", load_config(None, settings))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace}/mlflow.db")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    return made.model


@contextlib.contextmanager
def serving(folder):
    """`mlflow models serve`, as on the page but for the port."""
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = ["models", "serve", "-m", "models:/my_model/1", "--env-manager", "local"]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--port", str(port)],
            stdout=log, stderr=log, cwd=folder, start_new_session=True,
            # The program that MLflow starts is looked up by its name.
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 240
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
                break
            assert process.poll() is None, (folder / "serve.log").read_text()
            assert time.monotonic() < deadline, (folder / "serve.log").read_text()
            time.sleep(0.5)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def test_the_python_of_the_page_runs(my_model, capsys):
    (example,) = blocks("python")
    try:
        exec(compile(example, PAGE.name, "exec"), {})
    finally:
        mlflow.set_tracking_uri(None)
    assert "901" in capsys.readouterr().out


def test_a_server_answers_the_requests_of_the_page(my_model, workplace):
    commands = blocks("bash")
    with serving(workplace) as port:
        done = [
            subprocess.run(
                ["bash", "-c", command.replace(":5001", f":{port}")],
                capture_output=True, text=True, check=True, timeout=120,
            )
            for command in commands
        ]  # fmt: skip
    *answers, mistake = [parsed_strictly(each.stdout) for each in done]
    pairs, lists, chosen, stranger, several = [each["predictions"] for each in answers]
    assert pairs[0]["score"] == pytest.approx(my_model.score(_frame([3], [1]))[0])
    assert pairs[1] == {"score": None}
    assert _ids(lists) == _ids(my_model.recommend([3, 7], k=3).to_dict("records"))
    assert {row["item_id"] for row in chosen} == {1, 4, 6, 8}
    assert all(row["because_1"] is None or row["share_1"] > 0 for row in chosen)
    expected = my_model.recommend([901], k=3, history=_frame([901] * 3, [4, 6, 2]))
    assert _ids(stranger) == _ids(expected.to_dict("records"))
    expected = my_model.with_history(_frame([901, 3], [4, 6])).recommend([901, 3], k=3)
    assert _ids(several) == _ids(expected.to_dict("records"))
    assert mistake["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "k must be at least 1, but got 0" in mistake["message"]


def test_mlflow_checks_the_example_that_lies_with_the_model(my_model, workplace):
    (example,) = workplace.glob("mlartifacts/models/*/artifacts/serving_input_example.json")
    with serving(workplace) as port:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            example.read_bytes(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            rows = parsed_strictly(answer.read().decode())["predictions"]
    given = json.loads(example.read_bytes())["dataframe_split"]["data"]
    users, items = zip(*given, strict=True)
    expected = my_model.score(_frame(users, items))
    assert [row["score"] for row in rows] == [pytest.approx(each) for each in expected]


def _frame(users, items):
    return pd.DataFrame({"user_id": users, "item_id": items})


def _ids(rows):
    return [(row["user_id"], row["item_id"], row["rank"]) for row in rows]
