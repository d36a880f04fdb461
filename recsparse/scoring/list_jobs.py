"""Batch jobs that write rows for ids: lists of users and of items, part by part."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsparse.datasets.id_digest import digest_of_ids
from recsparse.errors import InputError
from recsparse.scoring.batch_job import BatchOptions, digest_of_known, job_of, parted_output
from recsparse.scoring.how_ranked import HowRanked
from recsparse.scoring.request_columns import slices
from recsparse.scoring.similar import similar_batches
from recsparse.scoring.trained import TrainedModel


def recommend_users(
    trained: TrainedModel,
    out: str | Path,
    k: int,
    users: pa.Array | None = None,
    options: BatchOptions | None = None,
) -> int:
    """Write the k best unseen items of each user.

    Args:
        trained: The model, with the histories to start from.
        out: A Parquet file (`….parquet`) or a folder of parts.
        k: Length of each list.
        users: Ids; None means every known user.
        options: How the job runs.

    Returns:
        The number of users.

    Raises:
        InputError: If there are no users, k is below 1, or users are unknown and `on_unknown` is
            `error`; no part is left behind then.
    """
    _require_length(k)
    options = options or BatchOptions()
    wanted = trained.users.ids if users is None else users

    def lists(some: pa.Array) -> pa.Table:
        unknown, explain = options.on_unknown, options.explain
        return pa.concat_tables(
            trained.recommend_batches(some, k, on_unknown=unknown, explain=explain)
        )

    found = write_by_ids(
        IdJob("recommend", "recommending", "user", (k,), k), trained, wanted, lists, out, options
    )
    counts = HowRanked(trained, options.on_unknown)
    counts.add(wanted)
    counts.tell("users")
    return found


def similar_to_items(
    trained: TrainedModel,
    out: str | Path,
    k: int,
    items: pa.Array | None = None,
    options: BatchOptions | None = None,
) -> int:
    """Write the k items that are most like each item.

    Args:
        trained: The model.
        out: A Parquet file (`….parquet`) or a folder of parts.
        k: Length of each list.
        items: Ids; None means all of the catalogue.
        options: How the job runs.

    Returns:
        The number of items.

    Raises:
        InputError: If there are no items, k is below 1, items are unknown, or the model does not
            know how alike items are; no part is left behind then.
    """
    _require_length(k)
    options = options or BatchOptions()
    wanted = trained.items.ids if items is None else items

    def lists(some: pa.Array) -> pa.Table:
        return pa.concat_tables(similar_batches(trained.model, trained.items, some, k))

    return write_by_ids(
        IdJob("similar", "comparing", "item", (k,), k), trained, wanted, lists, out, options
    )


@dataclass(frozen=True)
class IdJob:
    """A job that writes rows for ids.

    Attributes:
        command: What writes them.
        doing: What it is doing, for the progress.
        of: What the ids are of, `user` or `item`.
        settings: All that the rows follow from besides the model, the ids and the options.
        rows_per_id: Rows that an id may get.
    """

    command: str
    doing: str
    of: str
    settings: tuple[Any, ...] = ()
    rows_per_id: int = 1


def write_by_ids(
    job: IdJob,
    trained: TrainedModel,
    wanted: pa.Array,
    rows_of: Callable[[pa.Array], pa.Table],
    out: str | Path,
    options: BatchOptions,
) -> int:
    """Write the rows of some ids, part by part.

    Args:
        job: What is done.
        trained: The model.
        wanted: Ids, of users or of items.
        rows_of: Makes the rows of some of them.
        out: The output.
        options: How the job runs.

    Returns:
        The number of ids.

    Raises:
        InputError: If there are none.
    """
    of = job.of
    if len(wanted) == 0:
        raise InputError(
            f"{job.command} needs at least one {of}, but got none; name some by --{of}s"
        )
    with options.reporter.task(f"looking through the {of}s and what is known of them"):
        settings = (*job.settings, options.rows_per_part, options.on_unknown, options.explain)
        ids, known = digest_of_ids(wanted), digest_of_known(trained)
        whole = job_of(job.command, options.inputs, ids, *settings, known)
    ids_per_part = max(1, options.rows_per_part // job.rows_per_id)
    with (
        parted_output(out, whole, options) as output,
        options.reporter.task(job.doing, len(wanted)) as advance,
    ):
        for part, rows in enumerate(slices(len(wanted), ids_per_part)):
            if not output.is_done(part):
                output.write(part, rows_of(wanted[rows]))
            advance(rows.stop, f"part {part + 1}, {rows.stop:,} {of}s")
        output.publish()
    return len(wanted)


def _require_length(k: int) -> None:
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
