"""Two jobs on one output at once: real processes."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.outputs.manifest import read_manifest
from recsparse.scoring.model_folder import load_model, read_model_description

pytestmark = pytest.mark.slow

# Imports first, so that both are at work at once; then a line starts the command.
STARTED = """
import sys
import importlib
importlib.import_module(f"recsparse.stages.{sys.argv[1]}")
from recsparse.scoring import batch
from recsparse.cli.main import run
batch.BatchOptions.__init__.__defaults__ = (40, *batch.BatchOptions.__init__.__defaults__[1:])
print("ready", flush=True)
sys.stdin.readline()
run()
"""


@pytest.fixture
def together(workplace):
    """Start commands at the same moment; returns their exit statuses and what they said."""

    def start(*commands):
        jobs = [
            subprocess.Popen(
                [sys.executable, "-c", STARTED, *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for words in commands
        ]
        for job in jobs:
            assert job.stdout.readline() == "ready\n"
        ended = []
        for job in jobs:
            job.stdin.write("\n")
            job.stdin.flush()
        for job in jobs:
            _, said = job.communicate()
            ended.append((job.returncode, said))
        return ended

    return start


def write_pairs(path, size=4_000):
    rng = np.random.default_rng(0)
    pairs = {"user_id": rng.integers(0, 40, size), "item_id": rng.integers(0, 20, size)}
    pq.write_table(pa.table(pairs), path)


def assert_one_was_refused(ended, place):
    assert sorted(status for status, _ in ended) == [0, 2], ended
    said = next(said for status, said in ended if status == 2)
    assert f"{place} must be written by one job at a time, but " in said, said


@pytest.mark.parametrize("out", ["scores", "scores.parquet"])
def test_of_two_models_at_once_on_one_output_one_scores_all_rows(
    together, trained_folder, workplace, out
):
    write_pairs("pairs.parquet")
    (workplace / "link").symlink_to(workplace)
    words = ["--candidates", "pairs.parquet", "--overwrite", "--out"]
    ended = together(
        ["score", trained_folder / "popularity", *words, out],
        ["score", trained_folder / "sparse_grid", *words, workplace / "link" / out],
    )
    assert_one_was_refused(ended, workplace / out)
    name = "popularity" if ended[0][0] == 0 else "sparse_grid"
    pairs = pq.read_table("pairs.parquet")
    expected = load_model(trained_folder / name).score(pairs)
    found = pq.read_table(out)
    assert found["score"].to_pylist() == expected.tolist()
    assert found.drop_columns("score").equals(pairs)


def test_of_two_trainings_at_once_one_makes_the_model(together, small_dataset, workplace):
    words = ["train", small_dataset, "--out", "model", "--set", "model.kind=ials"]
    ended = together(*([*words, "--set", f"seed={seed}"] for seed in (3, 4)))
    assert_one_was_refused(ended, workplace / "model")
    seed = 3 if ended[0][0] == 0 else 4
    assert read_model_description(workplace / "model")["training"]["seed"] == seed
    assert {path.name for path in workplace.iterdir()} <= {"model", "mlflow.db", "mlartifacts"}
    # The same seed gives the same weights.
    together([*words[:3], "again", *words[4:], "--set", f"seed={seed}"])
    weights = [
        (workplace / name / "weights.safetensors").read_bytes() for name in ("model", "again")
    ]
    assert weights[0] == weights[1]


def test_of_two_logs_at_once_one_is_prepared(together, small_log, workplace):
    ended = together(
        *(
            ["prepare", small_log / "log.parquet", "--out", "dataset", "--set", f"seed={seed}"]
            for seed in (3, 4)
        )
    )
    assert_one_was_refused(ended, workplace / "dataset")
    assert [path.name for path in workplace.iterdir() if path.name != "mlflow.db"] == ["dataset"]
    assert read_manifest(workplace / "dataset") is not None
