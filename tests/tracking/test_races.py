"""Jobs that start at once on one store."""

import subprocess
import sys
import textwrap

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from recsparse.tracking.store import local_uri

JOB = textwrap.dedent("""
    import sys
    from pathlib import Path
    import pandas as pd
    from recsparse.config.config import TrackingConfig
    from recsparse.tracking.open_run import start_run

    folder, number, model = sys.argv[1:]
    example = pd.DataFrame({"user_id": [0], "item_id": [2]}), pd.DataFrame({"score": [0.5]})
    # Of all the time that a process takes to start, none lies between here and the store.
    print("ready", flush=True)
    sys.stdin.readline()
    with start_run(TrackingConfig(), folder, f"job {number}") as run:
        run.log_params({"number": number})
        for step in range(20):
            run.log_metrics({"loss": float(step)}, step=step)
        if model != "none":
            run.log_model(model, example, "shelf")
""")


def started_at_once(folder, count, model="none"):
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", JOB, str(folder), str(number), str(model)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(count)
    ]  # fmt: skip
    for job in jobs:
        assert job.stdout.readline() == "ready\n"
    for job in jobs:
        job.stdin.write("go\n")
        job.stdin.flush()
    said = [job.communicate(timeout=300)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * count, said
    return said


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_jobs_that_start_at_once_in_a_new_folder_all_find_a_store(tmp_path, attempt):
    said = started_at_once(tmp_path / "new", 6)
    assert said == [""] * 6
    client = MlflowClient(local_uri(tmp_path / "new"))
    (experiment,) = client.search_experiments(filter_string="name = 'recsparse'")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.params["number"] for run in runs) == [*"012345"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [each.value for each in history] == [float(step) for step in range(20)]
    assert not (tmp_path / "new" / "mlflow.unsent").exists()


@pytest.mark.slow
def test_jobs_that_register_at_once_have_a_version_each(tmp_path, trained_folder):
    started_at_once(tmp_path / "new", 4, trained_folder / "popularity")
    client = MlflowClient(local_uri(tmp_path / "new"))
    versions = client.search_model_versions("name = 'shelf'")
    assert sorted(int(version.version) for version in versions) == [1, 2, 3, 4]
    assert len({version.run_id for version in versions}) == 4
    assert not (tmp_path / "new" / "mlflow.unsent").exists()
    assert mlflow.active_run() is None
