"""Logs of Parquet files, read by LogSource."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.log_source import LogSource

SECONDS = 1_767_225_600


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = len(next(iter(columns.values())))
    ids = {"user_id": np.arange(size), "item_id": np.zeros(size, np.int64)}
    pq.write_table(pa.table({**ids, **columns}), path)
    return path


def batches(path, batch_rows=1_048_576, **settings):
    return list(LogSource.open(path, LogConfig(**settings)).batches(batch_rows))


def good(path, **settings):
    return pa.concat_tables([batch.good for batch in batches(path, **settings)])
