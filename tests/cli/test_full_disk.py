import errno

import pyarrow as pa
import pyarrow.parquet as pq

from tests.cli.conftest import sets
from tests.conftest import SMALL_NETWORK

OUTPUTS = ("dataset", "model", "scores.parquet", "lists", "report", "best.toml")


def outputs(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for name in OUTPUTS
        for path in [folder / name, *(folder / name).rglob("*")]
        if path.is_file()
    }


def test_a_full_disk_leaves_every_old_output(
    recsparse, workplace, small_log, small_dataset, monkeypatch
):
    pq.write_table(pa.table({"user_id": [1, 2], "item_id": [5, 6]}), "candidates.parquet")
    jobs = [
        ["prepare", small_log / "log.parquet", "--out", "dataset"],
        ["train", small_dataset, "--out", "model", *sets(SMALL_NETWORK)],
        ["score", "model", "--candidates", "candidates.parquet", "--out", "scores.parquet"],
        ["recommend", "model", "--out", "lists"],
        ["evaluate", "model", small_dataset, "--out", "report"],
        ["tune", small_dataset, "--out", "best.toml", "--set", "model.kind=popularity"],
    ]
    for job in jobs:
        assert recsparse(*job).status == 0, job
    before = outputs(workplace)
    assert {path.parts[0] for path in before} == set(OUTPUTS)
    for name in (
        "pyarrow.parquet.write_table",
        "pathlib.Path.write_bytes",
        "pathlib.Path.write_text",
    ):
        monkeypatch.setattr(name, full)
    for job in jobs:
        # Without it nothing is written, since nothing is new.
        outcome = recsparse(*job, *(["--again"] if job[0] == "train" else []))
        assert outcome.status == 2, (job, outcome)
        assert "needs more room than the disk has (No space left on device)" in outcome.err
    assert outputs(workplace) == before


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")
