"""A model, candidates for it in files, and jobs that are killed between parts."""

from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.scoring.job_scores import JobScores
from recsparse.scoring.trained import TrainedModel
from tests.scoring.naive import random_model

MODEL = random_model(6, 5, seed=3)


class Listener:
    """Keeps what was done after each part; groups of users that come before have no note."""

    def __init__(self, done):
        self.done = done

    @contextmanager
    def task(self, description, total=None):
        yield lambda done, note="": self.done.append(done) if note else None


def candidates(num_rows=10, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "place": pa.array(range(num_rows), pa.int64()),
            "item_id": pa.array(rng.integers(500, 505, num_rows)),
            "kind": pa.array(rng.choice(["a", "b"], num_rows)).dictionary_encode(),
            "user_id": pa.array(rng.integers(10, 16, num_rows), pa.int32()),
        }
    )


def written(tmp_path, table=None, name="candidates.parquet"):
    pq.write_table(candidates() if table is None else table, tmp_path / name)
    return tmp_path / name


def damaged(path):
    """Spoil the first pages of a Parquet file, and not its footer."""
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36
    path.write_bytes(content)
    return path


def with_scores(table):
    return table.append_column("score", pa.array(MODEL.score(table)))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed_after(monkeypatch, number):
    """Raise in place of the part after the first `number`, and return how often a part is made."""
    made = []
    for owner, name in ((JobScores, "of"), (TrainedModel, "recommend_batches")):
        original = getattr(owner, name)

        def counted(model, *args, original=original, **kwargs):
            if len(made) == number:
                raise KeyboardInterrupt
            made.append(args[0])
            return original(model, *args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
    return made
