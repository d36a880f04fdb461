"""What is in a log or a dataset: counts, sparsity, time range, long tail."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsparse.data_config import LogConfig
from recsparse.datasets.dataset_folder import DESCRIPTION, load_dataset
from recsparse.datasets.log import InteractionLog


def describe(path: str | Path, config: LogConfig | None = None) -> dict[str, Any]:
    """Return figures that tell what a log or a dataset holds.

    Args:
        path: A dataset folder, or a Parquet file or folder of interactions.
        config: How to read a log.

    Returns:
        Names and values, ready for JSON.
    """
    if (Path(path) / DESCRIPTION).is_file():
        data = load_dataset(path)
        return {"kind": "dataset", **_figures(data.all_rows()), **data.counts}
    log = InteractionLog.read(path, config or LogConfig())
    return {
        "kind": "log",
        **_figures(log.table),
        "rejected rows": log.rejected.num_rows,
        "duplicate rows": log.counts.duplicates,
    }


def _figures(rows: pa.Table) -> dict[str, Any]:
    per_user = _row_counts(rows, "user_id")
    per_item = _row_counts(rows, "item_id")
    cells = len(per_user) * len(per_item)
    return {
        "rows": rows.num_rows,
        "users": len(per_user),
        "items": len(per_item),
        "share of active cells": rows.num_rows / cells if cells else 0.0,
        "rows a user (median)": float(np.median(per_user)) if len(per_user) else 0.0,
        "rows an item (median)": float(np.median(per_item)) if len(per_item) else 0.0,
        "share of rows in the top 10 % of items": _head_share(per_item),
        **_time_range(rows),
    }


def _row_counts(rows: pa.Table, column: str) -> NDArray[np.int64]:
    counts = rows[column].combine_chunks().value_counts().field("counts")
    return np.sort(counts.to_numpy(zero_copy_only=False))[::-1]


def _head_share(counts: NDArray[np.int64]) -> float:
    head = counts[: max(1, len(counts) // 10)]
    return float(head.sum() / counts.sum()) if len(counts) else 0.0


def _time_range(rows: pa.Table) -> dict[str, str]:
    if "timestamp" not in rows.column_names or rows["timestamp"].null_count == rows.num_rows:
        return {}
    limits = pc.min_max(rows["timestamp"]).as_py()
    first, last = (datetime.fromtimestamp(limits[key], UTC) for key in ("min", "max"))
    return {"first event": first.isoformat(), "last event": last.isoformat()}
