"""Batch scores of candidate pairs, from Parquet to Parquet, part by part."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from recsparse.datasets.id_types import ids_of
from recsparse.datasets.reading.find_files import Paths, named
from recsparse.datasets.reading.fragments import READ_ERRORS
from recsparse.datasets.reading.roles import Roles
from recsparse.datasets.reading.tables import (
    open_dataset,
    read_batches,
    read_columns,
    require_columns,
)
from recsparse.errors import InputError, SchemaError
from recsparse.files.stand_ins import called
from recsparse.scoring.batch_job import BatchOptions, digest_of_known, job_of, parted_output
from recsparse.scoring.how_ranked import HowRanked
from recsparse.scoring.job_scores import JobScores
from recsparse.scoring.parted_output import rechunk
from recsparse.scoring.trained import TrainedModel

_READ_ROWS = 131_072


def score_candidates(
    trained: TrainedModel,
    candidates: Paths,
    out: str | Path,
    options: BatchOptions | None = None,
) -> int:
    """Write the candidates with a `score` column, in the order of the candidates.

    Args:
        trained: The model.
        candidates: Files, folders, globs or addresses with `user_id`, `item_id` and any other
            columns; those of each format are read one after the other.
        out: A Parquet file (`….parquet`) or a folder of parts.
        options: How the job runs.

    Returns:
        The number of rows written.

    Raises:
        SchemaError: If an id column is missing, or there is a `score` column already.
        InputError: If there are no rows, a file is damaged, or ids are unknown and `on_unknown` is
            `error`; no part is left behind then.
    """
    options = options or BatchOptions()
    with options.reporter.task("looking through the candidates"):
        source, where = _opened(trained, candidates), named(candidates)
        settings = (options.rows_per_part, options.on_unknown, digest_of_known(trained))
        job = job_of("score", (candidates, *options.inputs), _files(source), *settings)
        total, expected = 0, _num_rows(source)
        counts = HowRanked(trained, options.on_unknown)

    def ids() -> Iterator[pa.RecordBatch]:
        return read_batches(source, ["user_id", "item_id"], _READ_ROWS)

    with (
        parted_output(out, job, options) as output,
        options.reporter.task("scoring", expected) as advance,
    ):
        job_scores = JobScores(trained, options.on_unknown, ids, output, options.reporter)
        for part, table in enumerate(rechunk(_batches(source), options.rows_per_part)):
            if not output.is_done(part, table.num_rows):
                are_all = part == 0 and table.num_rows < options.rows_per_part
                scores = pa.array(job_scores.of(table, total, are_all), from_pandas=True)
                output.write(part, table.append_column("score", scores))
            counts.add(ids_of(table["user_id"]))
            total += table.num_rows
            advance(total, f"part {part + 1}, {total:,} rows")
        if total == 0:
            raise InputError(f"the candidates must have rows, but {where} has none")
        output.publish(total)
    counts.tell("candidates of users")
    return total


def read_candidates(trained: TrainedModel, candidates: Paths) -> pa.Table:
    """Return candidates, all of them in memory.

    Args:
        trained: The model.
        candidates: As for `score_candidates`.

    Returns:
        Their rows and columns.

    Raises:
        SchemaError: If an id column is missing, or there is a `score` column already.
        InputError: If a file is damaged.
    """
    source = _opened(trained, candidates)
    return read_columns(source, source.schema.names)


def check_candidates(source: ds.Dataset | pa.Table, where: str) -> None:
    """Raise an error unless candidates have what they must, and nothing where scores will be.

    Args:
        source: The candidates.
        where: What to call them in the error.

    Raises:
        SchemaError: If an id column is missing, or there is a `score` column already.
    """
    require_columns(source, where, ["user_id", "item_id"])
    if "score" in source.schema.names:
        raise SchemaError(
            f"{where} must not have a column 'score' yet, but it does; rename or drop it, since "
            "the model's score is written under that name"
        )


def read_ids(path: Paths, column: str, kind: pa.DataType | None = None) -> pa.Array:
    """Return the distinct ids of a table, in the order of first appearance.

    Args:
        path: Files, folders, globs or addresses.
        column: The id column.
        kind: The type of a model's ids, int64 or string, in which files of text and partition keys
            are read; None finds one out.

    Returns:
        The ids.

    Raises:
        SchemaError: If there is no such column.
        InputError: If a file is damaged.
    """
    source = open_dataset(path, roles=Roles({column: kind}))
    require_columns(source, named(path), [column])
    return ids_of(read_columns(source, [column])[column], f"the column {column!r}").unique()


def _opened(trained: TrainedModel, candidates: Paths) -> ds.Dataset:
    ids = {"user_id": trained.users.ids.type, "item_id": trained.items.ids.type}
    source = open_dataset(candidates, roles=Roles(ids))
    check_candidates(source, named(candidates))
    return source


def _batches(source: ds.Dataset) -> Iterator[pa.RecordBatch]:
    return read_batches(source, source.schema.names, _READ_ROWS)


def _num_rows(source: ds.Dataset) -> int | None:
    """Return how many rows there are, where that is known without reading them."""
    if any(not isinstance(each, ds.ParquetFileFragment) for each in source.get_fragments()):
        return None
    try:
        return int(source.count_rows())
    except READ_ERRORS:  # where the rows are read, the file is named
        return None


def _files(source: ds.Dataset) -> list[tuple[str, str]]:
    """Return each file's path and a digest of its bytes; of size and time, either may deceive."""
    found = []
    for fragment in source.get_fragments():
        with fragment.filesystem.open_input_stream(fragment.path) as file:
            found.append((called(fragment.path), hashlib.file_digest(file, "sha256").hexdigest()))
    return found
