"""What is in a dataset: its parts as they lie on disk, and what was fitted."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import REJECTED
from recsparse.datasets.parts import PART_NAMES
from recsparse.datasets.profiling.counts import Profile, indexed_blocks
from recsparse.datasets.profiling.figures import Groups, profile_figures
from recsparse.datasets.schema import REASON
from recsparse.errors import InputError
from recsparse.reporting.progress import Reporter
from recsparse.stages.data import load_data

if TYPE_CHECKING:  # which takes a quarter of a second to import
    from matplotlib.figure import Figure

_EVALUATED = ("validation", "test")


def describe_dataset(
    folder: Path, reporter: Reporter
) -> "tuple[Groups, Callable[[], dict[str, Figure]]]":
    """Return the figures of a dataset and what draws its pictures.

    Args:
        folder: What `prepare` wrote.
        reporter: Shows the progress.

    Returns:
        Names and values by group, and a function that makes figures by title.
    """
    data = load_data(folder, reporter)
    with reporter.task("counting"):
        profile, parts, cold = _profile(data)
        reasons = _reasons(folder / REJECTED)
    kept = data.config.log.duplicates == "keep"
    num_cells = profile.num_rows - (data.counts["duplicate_rows"] if kept else 0)
    groups: Groups = {"rows by part": parts, **profile_figures(profile, num_cells)}
    counts = {name: value for name, value in data.counts.items() if name != "last_training_second"}
    further = {
        "cold shares": cold,
        "text": _text(data),
        "counts of prepare": counts,
        "rejected rows by reason": reasons,
    }
    groups |= {name: group for name, group in further.items() if group}

    return groups, partial(_pictures, data, profile)


def _pictures(data: Dataset, profile: Profile) -> "dict[str, Figure]":
    from recsparse.datasets.profiling.plots import plot_profile  # most look at the figures alone

    pictures = plot_profile(profile)
    try:
        from recsparse.grids.dataset_picture import grid_picture
    except ImportError:  # the others need no torch
        return pictures
    return {**pictures, "training rows on the grid": grid_picture(data)}


def _profile(data: Dataset) -> tuple[Profile, dict[str, int], dict[str, float]]:
    """Return the profile of all parts, the rows of each, and the share of unseen ones."""
    num_users, num_items = len(data.users), len(data.items)
    profile = Profile.of_size(
        num_users + len(data.unseen_users), num_items + len(data.unseen_items)
    )
    parts: dict[str, int] = {}
    cold: dict[str, float] = {}
    for name in PART_NAMES:
        unseen = [0, 0, 0]
        table: pa.Table = getattr(data.split, name)
        for rows in indexed_blocks(table):
            profile.add(rows)
            user, item = rows.user >= num_users, rows.item >= num_items
            for place, found in enumerate((user, item, user | item)):
                unseen[place] += int(found.sum())
        parts[name] = table.num_rows
        if name in _EVALUATED and table.num_rows:
            kinds = ("users", "items", "users or items")
            cold |= {
                f"{name} rows of unseen {kind}": number / table.num_rows
                for kind, number in zip(kinds, unseen, strict=True)
            }
    return profile, parts, cold


def _text(data: Dataset) -> dict[str, Any]:
    """Return how many of the training items and users have text, of tables and of the log."""
    found: dict[str, Any] = {}
    for where, number, side in (
        ("items", len(data.items), data.item_side),
        ("users", len(data.users), data.user_side),
        ("items in reviews", len(data.items), data.item_reviews),
        ("users in reviews", len(data.users), data.user_reviews),
    ):
        if side.bags is not None:
            words_of_each = np.diff(side.bags.indptr[: number + 1])
            found |= {
                f"words of {where}": side.bags.shape[1],
                f"share of {where} with a word": float((words_of_each > 0).mean()),
                f"different words of {where} (mean)": float(words_of_each.mean()),
            }
    return found


def _reasons(path: Path) -> dict[str, int]:
    counts: Counter[str] = Counter()
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=[REASON]):
                for entry in batch.column(0).value_counts().to_pylist():
                    counts[entry["values"]] += entry["counts"]
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} must be the Parquet file that was written there, but {error}; make the folder "
            "anew"
        ) from error
    return dict(sorted(counts.items()))
