"""Batch jobs: scores of candidate pairs and top-k lists, from Parquet to Parquet, part by part."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from recsparse.config import OnUnknown
from recsparse.datasets.parquet import parquet_dataset, require_columns
from recsparse.errors import InputError, SchemaError
from recsparse.scoring.ids import slices
from recsparse.scoring.parts import PartedOutput, rechunk
from recsparse.scoring.trained import TrainedModel

OnPart = Callable[[int], None]


@dataclass(frozen=True)
class BatchOptions:
    """How a batch job runs.

    Attributes:
        rows_per_part: Rows of each part that is written, at most.
        on_unknown: What to do with ids never seen; see `TrainedModel.score`.
        on_part: Called with the rows done, after each part.
    """

    rows_per_part: int = 500_000
    on_unknown: OnUnknown = "error"
    on_part: OnPart | None = None


def score_candidates(
    trained: TrainedModel,
    candidates: str | Path,
    out: str | Path,
    options: BatchOptions | None = None,
    model_name: str = "",
) -> int:
    """Write the candidates with a `score` column, in the order of the candidates.

    Args:
        trained: The model.
        candidates: A Parquet file or folder with `user_id`, `item_id` and any other columns.
        out: A Parquet file (`….parquet`) or a folder of parts.
        options: How the job runs.
        model_name: What tells this model from others; a resumed job must have the same.

    Returns:
        The number of rows written.

    Raises:
        SchemaError: If an id column is missing, or there is a `score` column already.
        InputError: If there are no rows.
    """
    options = options or BatchOptions()
    source = parquet_dataset(candidates)
    _check_candidates(source, candidates)
    output = PartedOutput(
        out, _job("score", source, model_name, options.rows_per_part, options.on_unknown)
    )
    total = 0
    for part, table in enumerate(rechunk(source.to_batches(), options.rows_per_part)):
        if not output.is_done(part):
            scores = pa.array(trained.score(table, options.on_unknown), from_pandas=True)
            output.write(part, table.append_column("score", scores))
        total += table.num_rows
        _report(options.on_part, total)
    if total == 0:
        raise InputError(f"the candidates must have rows, but {candidates} has none")
    output.publish()
    return total


def recommend_users(
    trained: TrainedModel,
    out: str | Path,
    k: int,
    users: pa.Array | None = None,
    options: BatchOptions | None = None,
    model_name: str = "",
) -> int:
    """Write the k best unseen items of each user.

    Args:
        trained: The model, with the histories to start from.
        out: A Parquet file (`….parquet`) or a folder of parts.
        k: Length of each list.
        users: Ids; None means every known user.
        options: How the job runs.
        model_name: What tells this model from others; a resumed job must have the same.

    Returns:
        The number of users.

    Raises:
        InputError: If there are no users, or k is below 1.
    """
    options = options or BatchOptions()
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
    wanted = trained.users.ids if users is None else users
    if len(wanted) == 0:
        raise InputError("recommend needs at least one user, but got none; pass users with ids")
    digest = hashlib.sha256(repr(wanted.to_pylist()).encode()).hexdigest()
    job = _fingerprint(
        "recommend", digest, model_name, k, options.rows_per_part, options.on_unknown
    )
    output = PartedOutput(out, job)
    users_per_part = max(1, options.rows_per_part // k)
    for part, rows in enumerate(slices(len(wanted), users_per_part)):
        if not output.is_done(part):
            output.write(part, _recommendations(trained, wanted[rows], k, options.on_unknown))
        _report(options.on_part, rows.stop)
    output.publish()
    return len(wanted)


def read_ids(path: str | Path, column: str) -> pa.Array:
    """Return the distinct ids of a Parquet file, in the order of first appearance.

    Args:
        path: A Parquet file or folder.
        column: The id column.

    Returns:
        The ids.

    Raises:
        SchemaError: If there is no such column.
    """
    source = parquet_dataset(path)
    require_columns(source, path, [column])
    return source.to_table(columns=[column])[column].unique()


def _recommendations(
    trained: TrainedModel, users: pa.Array, k: int, on_unknown: OnUnknown
) -> pa.Table:
    return pa.concat_tables(trained.recommend_batches(users, k, on_unknown=on_unknown))


def _check_candidates(source: ds.Dataset, path: str | Path) -> None:
    require_columns(source, path, ["user_id", "item_id"])
    if "score" in source.schema.names:
        raise SchemaError(
            f"{path} must not have a column 'score' yet, but it does; rename or drop it, since "
            "the model's score is written under that name"
        )


def _job(kind: str, source: ds.Dataset, *settings: Any) -> dict[str, str]:
    files = [
        (str(file), Path(file).stat().st_size, Path(file).stat().st_mtime_ns)
        for file in source.files
    ]
    return _fingerprint(kind, files, *settings)


def _fingerprint(kind: str, *settings: Any) -> dict[str, str]:
    return {"kind": kind, "sha256": hashlib.sha256(repr(settings).encode()).hexdigest()}


def _report(on_part: OnPart | None, rows: int) -> None:
    if on_part is not None:
        on_part(rows)
