"""Jobs that are killed at any moment and started again end as undisturbed ones."""

import random
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.scoring.model_folder import load_model
from tests.forks import forks

pytestmark = pytest.mark.slow


def emptied(path):
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def content(path):
    """Return the bytes of a file, or of all files of a folder."""
    if path.is_file():
        return path.read_bytes()
    return {each.name: each.read_bytes() for each in sorted(path.iterdir())}


@pytest.mark.parametrize("name", ["scores", "scores.parquet"])
def test_scores_of_a_killed_job_are_those_of_an_undisturbed_one(trained_folder, tmp_path, name):
    rng = np.random.default_rng(0)
    pairs = {"user_id": rng.integers(0, 40, 4_000), "item_id": rng.integers(0, 20, 4_000)}
    pq.write_table(pa.table(pairs), tmp_path / "pairs.parquet")
    out, parts, moments = tmp_path / name, tmp_path / f"{name}.parts", random.Random(0)
    words = ["--candidates", "pairs.parquet", "--overwrite", "--out", name]
    of_another = ["score", trained_folder / "popularity", *words]
    command = ["score", trained_folder / "sparse_grid", *words]
    with forks(tmp_path, rows_per_part=40) as run:
        run(*of_another)
        old = content(out)
        _, seconds = run(*command)
        new, left = content(out), []
        assert old != new
        for _ in range(4):
            emptied(out)
            run(*of_another)
            # A job may be killed several times until it is done.
            for _ in range(3):
                status, _ = run(*command, kill_after=moments.uniform(0, seconds))
                left.append(len([*parts.glob("part-*.parquet")]))
                assert content(out) == new if status == 0 else content(out) in (old, new)
            run(*command)
            assert content(out) == new
            assert {path.name for path in tmp_path.iterdir()} == {"pairs.parquet", "said.txt", name}
    # The moments are of no use where none lies between two parts.
    assert len(set(left)) > 3, left


def test_a_killed_timeline_training_ends_with_the_weights_of_an_undisturbed_one(
    small_dataset, workplace
):
    settings = ["model.kind=timeline", "model.channels=8", "model.blocks=2", "training.epochs=20"]
    words = ["train", small_dataset, *(part for each in settings for part in ("--set", each))]
    moments, (model, whole) = random.Random(0), (workplace / "model", workplace / "whole")
    checkpoint = workplace / "model.checkpoints" / "last.safetensors"
    with forks(workplace) as run:
        _, seconds = run(*words, "--out", "whole")
        resumed = 0
        for _ in range(2):
            # Once between the first epochs, once anywhere after them.
            for most in (0.1, 1):
                kill_after = moments.uniform(0, most * seconds)
                run(*words, "--out", "model", "--resume", kill_after=kill_after, since=checkpoint)
                resumed += checkpoint.is_file()
            run(*words, "--out", "model", "--resume")
            assert not checkpoint.parent.exists()
            weights = [(each / "weights.safetensors").read_bytes() for each in (model, whole)]
            assert weights[0] == weights[1]
            load_model(model)
            shutil.rmtree(model)
    # The moments are of no use where none lies between two epochs.
    assert resumed > 1


def test_a_killed_backtest_ends_with_the_files_of_an_undisturbed_one(workplace):
    rng = np.random.default_rng(0)
    log = {"user_id": rng.integers(0, 50, 6_000), "item_id": rng.integers(0, 100, 6_000)}
    log["timestamp"] = 1_700_000_000 + np.sort(rng.integers(0, 40 * 86_400, 6_000))
    pq.write_table(pa.table(log), workplace / "log.parquet")
    words = ["backtest", "log.parquet", "--models", "popularity,ials", "--windows", 3, "--every"]
    words += ["5d", "--set", "model.kind=ials", "--set", "model.factors=8"]
    moments, cells, left = random.Random(0), workplace / "out.cells", []
    with forks(workplace) as run:
        _, seconds = run(*words, "--out", "whole")
        for _ in range(4):
            run(*words, "--out", "out", kill_after=moments.uniform(0, seconds))
            left.append(len([*cells.glob("cell-*.parquet")]))
        run(*words, "--out", "out")
        assert not cells.exists()
    assert content(workplace / "out") == content(workplace / "whole")
    # The moments are of no use where none lies between two cells.
    assert any(left), left
