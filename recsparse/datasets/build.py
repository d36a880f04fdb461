"""A log becomes a dataset folder, block by block: the log is never in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from recsparse.atomic import atomic_folder
from recsparse.config import Config
from recsparse.datasets.clean import CleanRows, clean_rows, sorted_rows
from recsparse.datasets.dataset_folder import DESCRIPTION, FORMAT_VERSION, read_description
from recsparse.datasets.encode import Ids, LogEncoder
from recsparse.datasets.intake import Intake
from recsparse.datasets.lock import sole_writer
from recsparse.datasets.log_store import LogStore, save_ids, stored
from recsparse.datasets.orders import fit_orders
from recsparse.datasets.parquet import Paths
from recsparse.datasets.parts import PartedRows, part_rows, write_parts
from recsparse.datasets.side import fit_sides
from recsparse.datasets.split import PART_NAMES, Keys, plan_split
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.workspace import Resources, Workspace, workspace
from recsparse.errors import InputError
from recsparse.reporting import SILENT, Reporter
from recsparse.toml_file import write_toml


@dataclass(frozen=True)
class Sources:
    """What a dataset is made of.

    Attributes:
        logs: Files, folders, globs or addresses of interactions.
        validation: Logs whose rows are all for validation; the split is `given` then.
        test: Logs whose rows are all for the test; the split is `given` then.
        items: A table of items with text and features.
        users: A table of users with text and features.
        append_to: A dataset whose rows come first, and whose ids keep their indices.
        ids_from: A dataset whose ids keep their indices; its rows are not taken.
    """

    logs: Paths = ()
    validation: Paths = ()
    test: Paths = ()
    items: str | Path | None = None
    users: str | Path | None = None
    append_to: str | Path | None = None
    ids_from: str | Path | None = None


def build_dataset(
    sources: Sources,
    out: str | Path,
    config: Config,
    resources: Resources | None = None,
    reporter: Reporter = SILENT,
) -> None:
    """Check logs, split them, fit everything on the training part, and write a dataset folder.

    The same rows give the same bytes, whatever the order of files, the threads and the memory.

    Args:
        sources: What to read.
        out: The dataset folder; an older one stays until the new one is complete.
        config: Sections `log`, `split`, `text`, `features` and `order`, and the seed.
        resources: What may be used.
        reporter: Shows the progress.

    Raises:
        InputError: If the log breaks a rule; nothing is written then.
    """
    out, resources = Path(out), resources or Resources()
    with sole_writer(out), atomic_folder(out) as aside:
        with workspace(resources, out.parent) as work:
            _build(sources, aside, config, work, reporter)


def _build(
    sources: Sources, aside: Path, config: Config, work: Workspace, reporter: Reporter
) -> None:
    intake = Intake(sources, config, work)
    with reporter.task("reading the log", intake.num_rows) as advance:
        encoder = intake.read(advance)
    with reporter.task("sorting"):
        kept = _kept_ids(sources)
        users, items, encoded = encoder.finish(*kept)
        rows = _clean(encoded, (users, items), aside, config, work)
        save_ids(users.vocabulary, items.vocabulary, aside)
    with reporter.task("splitting"):
        _require_two(rows, intake)
        keys = Keys.of(users.hashes, items.hashes, config.seed)
        assign = plan_split(rows, keys, config.split, work)
        num_kept = tuple(len(each) if each else 0 for each in kept)
        parted = part_rows(rows, assign, (users.vocabulary, items.vocabulary), num_kept)
        _require_all_parts(parted, config)
        written = write_parts(parted, aside)
    with reporter.task("fitting text, features and orders"):
        sides = fit_sides(sources, parted, aside, intake, config)
        fit_orders(written, aside, sides, config)
    intake.save_rejected(aside / "rejected.parquet")
    counts = {
        "users": len(parted.users.train),
        "items": len(parted.items.train),
        "unseen_users": len(parted.users.unseen),
        "unseen_items": len(parted.items.unseen),
        **intake.counts(),
        "duplicate_rows": rows.duplicates,
        "rows_outside_core": rows.outside_core,
        **parted.counts,
        **written.counts,
        **sides.counts,
    }
    _save_description(aside, counts, config)
