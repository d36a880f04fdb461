"""Datasets made of a few rows, by the whole of `prepare`."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.building.taken import TAKEN
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.workspace import Resources
from recsparse.outputs.manifest import MANIFEST
from recsparse.stages.prepare import prepare


def log_table(rows, times=None, **columns) -> pa.Table:
    """Return a log of (user, item[, weight]), one second apart unless times are given."""
    weights = {"weight": [float(row[2]) for row in rows]} if rows and len(rows[0]) > 2 else {}
    return pa.table(
        {
            "user_id": ids([row[0] for row in rows]),
            "item_id": ids([row[1] for row in rows]),
            **weights,
            "timestamp": pa.array(range(len(rows)) if times is None else times, pa.int64()),
            **columns,
        }
    )


def ids(values) -> pa.Array:
    """Return ids; strings where any is one, so that no ids at all are integers."""
    return pa.array(values, pa.string() if any(isinstance(v, str) for v in values) else pa.int64())


def prepared(folder, rows, overrides=(), times=None, resources=None, **others) -> Dataset:
    """Write rows to `log.parquet` in a folder and prepare them there as `dataset`.

    Others are columns of the log where they are lists, and sources next to it where they are not.
    """
    columns = {name: each for name, each in others.items() if isinstance(each, (list, pa.Array))}
    sources = {name: each for name, each in others.items() if name not in columns}
    path = Path(folder) / "log.parquet"
    pq.write_table(log_table(rows, times, **columns), path)
    return prepared_files(path, Path(folder) / "dataset", overrides, resources, **sources)


def prepared_files(logs, out, overrides=(), resources=None, **others) -> Dataset:
    """Prepare logs that are there; files that are alike by chance all count."""
    config = load_config(overrides=list(overrides)) if overrides else None
    sources = Sources(**{"logs": logs, "repeats": "take", **others})
    return prepare(sources, out, config=config, resources=resources, overwrite=True)


def contents(folder) -> dict[str, bytes]:
    """Return every file of a folder, byte for byte, but the records of where the rows came from."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (TAKEN, MANIFEST)
    }


def triples(data: Dataset, *names: str) -> list[tuple]:
    """Return user, item and weight of the rows of some parts, in their order."""
    return [
        (row["user_id"], row["item_id"], row["weight"])
        for name in names
        for row in data.with_ids(getattr(data.split, name)).to_pylist()
    ]


SMALL = Resources(memory="100MB", threads=1)
