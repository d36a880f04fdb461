"""What is in a log: one pass over its files, sorted out of core."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from recsparse.config.data import LogConfig
from recsparse.datasets.building.intake import IntakeCounts
from recsparse.datasets.building.log_rows import LogRows
from recsparse.datasets.duplicates import without_duplicates
from recsparse.datasets.profiling.counts import Profile
from recsparse.datasets.profiling.figures import Groups, profile_figures
from recsparse.datasets.reading.find_files import Paths
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.reading.row_filter import filtered_batches
from recsparse.datasets.reading.tables import read_batches
from recsparse.datasets.workspace import Resources, Workspace, workspace
from recsparse.errors import InputError
from recsparse.files.atomic import make_folder
from recsparse.reporting.progress import Reporter

if TYPE_CHECKING:  # which takes a quarter of a second to import
    from matplotlib.figure import Figure

_BATCH_ROWS = 1_048_576
_MOST_EVENTS = 20
_EVENT_QUERY = """
    SELECT coalesce(event, 'null'), count(*) AS number, sum(number) OVER ()
    FROM events GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"""


def describe_log(
    paths: Paths, config: LogConfig, resources: Resources, reporter: Reporter
) -> "tuple[Groups, Callable[[], dict[str, Figure]]]":
    """Return the figures of a log, duplicates included, and what draws its pictures.

    Args:
        paths: Files and folders.
        config: How to read it.
        resources: What may be used.
        reporter: Shows the progress.

    Returns:
        Names and values by group, and a function that makes figures by title.

    Raises:
        InputError: If there is no row.
    """
    with reporter.task("looking through the log"):
        source = LogSource.open(paths, config)
    if resources.spill is not None:
        make_folder(resources.spill)
    with (
        # A folder of its own: several of these may run at once.
        tempfile.TemporaryDirectory(prefix="recsparse-", dir=resources.spill) as folder,
        workspace(Resources(resources.memory, resources.threads), Path(folder) / "log") as work,
    ):
        counts, profile, duplicates = _profile(source, work, reporter)
        events = _events(source, work, reporter)
    rows = {
        "rows read": counts.rows_read,
        "rejected rows": counts.rejected_rows,
        "rows": profile.num_rows,
        "duplicate rows": duplicates,
        **({"share of duplicate rows": duplicates / profile.num_rows} if profile.num_rows else {}),
    }
    if config.min_rating is not None:
        rows["rows below the lowest rating"] = counts.below_min_rating
    if config.event_weights:
        rows["rows of other events"] = counts.other_events
    groups: Groups = {"rows": rows, **profile_figures(profile, profile.num_rows - duplicates)}
    if events:
        groups["rows by event"] = events
    if counts.reasons:
        groups["rejected rows by reason"] = dict(sorted(counts.reasons.items()))
    return groups, partial(_pictures, profile)


def _pictures(profile: Profile) -> "dict[str, Figure]":
    from recsparse.datasets.profiling.plots import plot_profile  # most look at the figures alone

    return plot_profile(profile)


def _profile(
    source: LogSource, work: Workspace, reporter: Reporter
) -> tuple[IntakeCounts, Profile, int]:
    with reporter.task("reading the log", source.num_rows) as advance:
        log = LogRows(source, work, advance)
    if log.counts.rows_read == 0:
        chosen = "" if source.config.where is None else f" for which {source.config.where}"
        raise InputError(f"the log must have rows, but {source.where} has none{chosen}")
    if log.counts.kept == 0:
        return log.counts, Profile.of_size(0, 0), 0
    with reporter.task("sorting and counting"):
        rows, duplicates = log.sorted(), 0
        profile = Profile.of_size(rows.num_users, rows.num_items)
        for block in rows.blocks:
            profile.add(block)
            duplicates += without_duplicates(block, "keep")[1]
    return log.counts, profile, duplicates


def _events(source: LogSource, work: Workspace, reporter: Reporter) -> dict[str, int]:
    """Return the rows of the most frequent events, whether they have a weight or not."""
    config = source.config
    name = config.event_column
    if name not in source.dataset.schema.names:
        return {}
    columns = [name]
    if source.condition is None:
        batches = read_batches(source.dataset, columns, _BATCH_ROWS)
    else:
        batches = filtered_batches(source.dataset, columns, source.condition, _BATCH_ROWS)
    texts = (pa.record_batch([each.column(0).cast(pa.string())], ["event"]) for each in batches)
    schema = pa.schema([pa.field("event", pa.string())])
    work.database.register("events", pa.RecordBatchReader.from_batches(schema, texts))
    with reporter.task("counting the events"):
        found = work.database.execute(_EVENT_QUERY, [_MOST_EVENTS]).fetchall()
    rows = {name: number for name, number, _ in found}
    others = int(found[0][2]) - sum(rows.values()) if found else 0
    return rows | ({"other types": others} if others else {})
