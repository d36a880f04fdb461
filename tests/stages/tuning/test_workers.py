"""Processes that share a search, and what is left of one that was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.errors import InputError
from recsparse.stages.tune import tune
from recsparse.stages.tuning import workers as module

KNN = ("model.kind=item_knn", "evaluation.select_by=ndcg@5")
SPACE = {"neighbours": [1, 5, 20], "shrinkage": [0.0, 9.0]}
COLUMNS = ["neighbours", "shrinkage", "ndcg@5", "state"]


def runs_of(workplace):
    """The runs of the store: that of the search, and those of its trials by their names."""
    store = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    experiment = store.get_experiment_by_name("recsparse").experiment_id
    runs = store.search_runs([experiment])
    search = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return search, [run for run in runs if "mlflow.parentRunId" in run.data.tags]


@pytest.mark.slow
def test_two_processes_find_what_one_finds(small_dataset, workplace):
    one = tune(small_dataset, load_config(None, KNN), space=SPACE).trials
    two = tune(small_dataset, load_config(None, [*KNN, "tuning.jobs=2"]), "best.toml", SPACE).trials
    assert two.sort_values("trial")[COLUMNS].values.tolist() == (
        one.sort_values("trial")[COLUMNS].values.tolist()
    )
    (search,), trials = runs_of(workplace)
    assert search.info.status == "FINISHED"
    assert {run.info.run_name for run in trials} == {f"trial {number}" for number in range(1, 7)}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {search.info.run_id}


def own_model(folder, name, body):
    """A module with a model of a user's own, which is popularity but for its fit."""
    (folder / f"{name}.py").write_text(
        "import os, signal\n"
        "from typing import ClassVar, Literal\n"
        "from recsparse.config.linear_models import PopularityConfig\n"
        "from recsparse.models.linear.popularity import Popularity\n"
        "from recsparse.models.registry import register\n"
        f"class Config(PopularityConfig):\n    kind: Literal['{name}'] = '{name}'\n"
        "    level: int = 0\n"
        f"@register(Config)\nclass Own(Popularity):\n"
        f"    def fit(self, interactions, context):\n{body}"
        "        return super().fit(interactions, context)\n"
    )
    return f"model.kind={name}:Own"


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_failed_and_another_process_goes_on(
    small_dataset, workplace, monkeypatch
):
    monkeypatch.syspath_prepend(workplace)
    body = (
        "        if self.config.level == 1:\n            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        if self.config.level == 2:\n            raise MemoryError('too large')\n"
    )
    kind = own_model(workplace, "tune_workers_dying", body)
    config = load_config(None, [kind, "tuning.jobs=2"])
    trials = tune(small_dataset, config, "best.toml", {"level": [0, 1, 2, 3]}).trials
    trials = trials.sort_values("trial")
    assert trials["state"].tolist() == ["complete", "failed", "failed", "complete"]
    assert "signal 9" in trials["reason"][trials["level"] == 1].item()
    assert trials["reason"][trials["level"] == 2].item() == "too large"
    _, runs = runs_of(workplace)
    tags = {run.data.params["model.level"]: run for run in runs}
    assert [tags[level].info.status for level in "0123"] == [
        "FINISHED", "FAILED", "FAILED", "FINISHED",
    ]  # fmt: skip
    assert tags["2"].data.tags["reason"] == "too large"


@pytest.mark.slow
def test_bad_input_of_a_process_ends_the_search(small_dataset, workplace, monkeypatch):
    monkeypatch.setattr(module, "_own_names", lambda config, space: ["no_module_of_this:x"])
    with pytest.raises(InputError, match="no_module_of_this"):
        tune(small_dataset, load_config(None, [*KNN, "tuning.jobs=2"]), space=SPACE)


SLOW = "        import time; time.sleep(0.7)\n"


def started(dataset, folder, kind, *more):
    words = ["tune", dataset, "--out", "best.toml", "--set", kind, "--sampler", "random"]
    words += ["--try", "level=0..1000000", "--trials", "6", "--json", "--quiet", *more]
    code = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-m", "recsparse", *map(str, words)],
        cwd=folder, env=code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def children(process):
    """The processes that a process has started."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(number) for number in found.split()]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_search_that_is_killed_goes_on_where_it_stopped(small_dataset, workplace, jobs):
    kind = own_model(workplace, f"tune_workers_slow_{jobs}", SLOW)
    whole = workplace / "whole"
    whole.mkdir()
    (whole / f"tune_workers_slow_{jobs}.py").write_text(
        (workplace / f"tune_workers_slow_{jobs}.py").read_text()
    )
    expected, said = started(small_dataset, whole, kind).communicate()
    killed = started(small_dataset, workplace, kind, "--jobs", jobs)
    journal, asked = workplace / "best.toml.search" / "trials.journal", 0
    while killed.poll() is None and asked < 3:
        text = journal.read_text() if journal.is_file() else ""
        asked = text.count('"param_name":"level"')
        time.sleep(0.02)
    workers = children(killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (workplace / "best.toml").exists()
    time.sleep(0.5)
    assert not any(Path(f"/proc/{worker}/stat").exists() for worker in workers[: jobs - 1])
    found, said = started(small_dataset, workplace, kind, "--jobs", jobs).communicate()
    assert said == ""

    def levels(text):
        return sorted((row["trial"], row["level"], row["state"]) for row in json.loads(text))

    assert levels(found) == levels(expected)
    assert f'kind = "tune_workers_slow_{jobs}"' in (workplace / "best.toml").read_text()
    (search,), runs = runs_of(workplace)
    assert search.info.status == "FINISHED"
    assert sorted(run.info.run_name for run in runs) == [f"trial {n}" for n in range(1, 7)]
