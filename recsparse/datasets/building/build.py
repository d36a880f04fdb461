"""A log becomes a dataset folder, block by block: the log is never in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from recsparse.config.config import Config
from recsparse.config.data import SplitConfig
from recsparse.datasets.building.bucket_sort import sorted_rows
from recsparse.datasets.building.clean import CleanRows, clean_rows
from recsparse.datasets.building.fitting import (
    fit_orders,
    fit_sides,
    side_sources,
)
from recsparse.datasets.building.free_memory import release_unused
from recsparse.datasets.building.id_encoder import Ids
from recsparse.datasets.building.intake import Intake
from recsparse.datasets.building.log_store import FOLDER as LOG
from recsparse.datasets.building.log_store import LogStore, save_log, stored
from recsparse.datasets.building.part_files import PartedRows, WrittenParts, part_rows, write_parts
from recsparse.datasets.building.prefetch import prefetched
from recsparse.datasets.building.reviews import Reviews
from recsparse.datasets.building.seeded_order import Keys
from recsparse.datasets.building.side_source import SideSource
from recsparse.datasets.building.sources import DATA_SECTIONS, FileSources
from recsparse.datasets.building.split import plan_split, split_of
from recsparse.datasets.building.splits.split import Split
from recsparse.datasets.dataset_folder import (
    DATASET,
    REJECTED,
    load_vocabularies,
    write_description,
)
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.parts import PART_NAMES, TEST
from recsparse.datasets.reading.find_files import find_files
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.workspace import Resources, Workspace, workspace
from recsparse.errors import InputError
from recsparse.outputs.claim import claim
from recsparse.reporting.progress import SILENT, Reporter


def build_dataset(
    sources: FileSources,
    out: str | Path,
    config: Config,
    resources: Resources | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = False,
) -> None:
    """Check logs, split them, fit everything on the training part, and write a dataset folder.

    The same rows give the same bytes, whatever the order of files, the threads and the memory.

    Args:
        sources: What to read.
        out: The dataset folder; an older one stays until the new one is complete.
        config: Sections `log`, `split`, `text`, `features` and `order`, and the seed.
        resources: What may be used.
        reporter: Shows the progress.
        overwrite: Replace a dataset that was made from other sources or settings.

    Raises:
        InputError: If the log breaks a rule; nothing is written then.
        OutputError: If the output is refused; nothing is touched then.
    """
    for path in sources.tables():
        find_files(path)  # which says what is missing, before anything else is asked
    split_of(config.split)  # which says that a class is no split, before anything is read
    with (
        claim(out, DATASET, sources.job(config), overwrite, reporter=reporter) as output,
        output.folder() as aside,
        workspace(resources or Resources(), output.target) as work,
    ):
        _Build(sources, aside, config, work, reporter).run()


@dataclass(frozen=True)
class _Build:
    sources: FileSources
    folder: Path
    config: Config
    work: Workspace
    reporter: Reporter

    def run(self) -> None:
        """Do all steps in turn."""
        with self.reporter.task("looking through the log"):
            store, kept = self._before()
            intake, sides = self._opened(store, self._types(*kept))
        with self.reporter.task("reading the log", intake.num_rows) as advance:
            encoder = intake.read(advance)
        release_unused()
        with self.reporter.task("sorting and cleaning"):
            users, items, blocks = encoder.finish(*kept)
            ordered = sorted_rows(blocks, users.num_rows, self.work.folder)
            rows = self._clean(prefetched(stored(ordered, self.folder)), users, items)
            save_log(users.vocabulary, items.vocabulary, intake.reviews, self.folder)
            intake.taken.save(self.folder / LOG)
        release_unused()
        with self.reporter.task("splitting"):
            parted = self._split(rows, users, items, kept)
            reviews = intake.reviews
            see_train = reviews.see_train if reviews is not None else None
            written = write_parts(parted, self.folder, see_train)
        release_unused()
        with self.reporter.task("fitting text, features and orders"):
            fitted = self._fit(parted, written, intake.reviews, sides)
        with self.reporter.task("writing the rejected rows"):
            intake.rejected.save(self.folder / REJECTED)
        counts = intake.counts.to_dict() | self._counts(rows, parted, written) | fitted
        settings = self.config.model_dump(mode="json", include=DATA_SECTIONS, exclude_none=True)
        write_description(self.folder, counts, settings)

    def _before(self) -> tuple[LogStore | None, tuple[Vocabulary | None, Vocabulary | None]]:
        # The rows to start from, if any, and the ids that keep their indices.
        append_to, ids_from = self.sources.append_to, self.sources.ids_from
        if append_to and ids_from:
            raise InputError(
                "--append and --ids-from must not be given both, since an appended dataset keeps "
                f"its own ids; but got {append_to} and {ids_from}"
            )
        named = append_to or ids_from
        if named is None:
            return None, (None, None)
        found = load_vocabularies(named)
        store = LogStore.open(Path(append_to)) if append_to else None
        return store, (found["users"], found["items"])

    def _opened(
        self, store: LogStore | None, types: tuple[str, pa.DataType, pa.DataType] | None
    ) -> tuple[Intake, tuple[SideSource, SideSource]]:
        # The logs and the tables, of which as much is read as tells their types.
        logs, repeats = self.sources.by_part(), self.sources.repeats
        intake = Intake(logs, self.config, self.work, store, types, repeats)
        sides = side_sources((self.sources.users, self.sources.items), store, self.config)
        for side, id_type in zip(sides, intake.types, strict=True):
            side.check(id_type)
        return intake, sides

    def _types(
        self, users: Vocabulary | None, items: Vocabulary | None
    ) -> tuple[str, pa.DataType, pa.DataType] | None:
        if users is None or items is None:
            return None
        where = self.sources.append_to or self.sources.ids_from
        return str(where), users.ids.type, items.ids.type

    def _clean(self, blocks: Iterator[Rows], users: Ids, items: Ids) -> CleanRows:
        log = self.config.log
        rows = clean_rows(
            blocks,
            self.work.folder / "clean.arrow",
            (len(users.vocabulary), len(items.vocabulary)),
            keep=log.duplicates,
            half_life_days=log.half_life_days,
            least=(log.min_user_rows, log.min_item_rows),
            is_blind_to_test=split_of(self.config.split).is_blind_to_test,
        )
        for counts, name in ((rows.rows_of_user, "users"), (rows.rows_of_item, "items")):
            found = int((counts > 0).sum())
            if found < 2:
                core = f"; {rows.outside_core} rows are outside of the core"
                raise InputError(
                    f"the log must have at least 2 {name} to learn from, but has {found} in "
                    f"{rows.num_rows} rows{core if rows.outside_core else ''}; give a longer log"
                )
        return rows

    def _split(
        self,
        rows: CleanRows,
        users: Ids,
        items: Ids,
        kept: tuple[Vocabulary | None, Vocabulary | None],
    ) -> PartedRows:
        config = self.config.split
        keys = Keys.of(users.hashes, items.hashes, self.config.seed)
        assign = plan_split(rows, keys, config, self.work)
        num_kept = len(kept[0] or ()), len(kept[1] or ())
        path = self.work.folder / "parts"
        parted = part_rows(rows, assign, path, (users.vocabulary, items.vocabulary), num_kept)
        empty = [name for name in PART_NAMES[: TEST + 1] if parted.counts[f"{name}_rows"] == 0]
        if empty:
            raise InputError(
                f"the split {config.kind!r} must leave rows in every part, but "
                f"{' and '.join(empty)} got none of {rows.num_rows}; {_cure(rows, config)}"
            )
        return parted

    def _fit(
        self,
        parted: PartedRows,
        written: WrittenParts,
        reviews: Reviews | None,
        sides: tuple[SideSource, SideSource],
    ) -> dict[str, int]:
        """Fit everything on the training rows, write it, and return what was counted."""
        with self.reporter.task("ids, text and features"):
            items, counts = fit_sides(sides, parted, reviews, self.folder, self.config, self.work)
        with self.reporter.task("orders"):
            fit_orders(parted, written, items, self.folder, self.config)
        return counts

    def _counts(self, rows: CleanRows, parted: PartedRows, written: WrittenParts) -> dict[str, int]:
        counts = {
            "users": len(parted.users.train),
            "items": len(parted.items.train),
            "unseen_users": len(parted.users.unseen),
            "unseen_items": len(parted.items.unseen),
            "duplicate_rows": rows.duplicates,
            "rows_outside_core": rows.outside_core,
            **parted.counts,
            **written.counts,
        }
        split = split_of(self.config.split)
        if split.spares_short_users:
            counts["users_with_too_few_rows"] = _users_with_too_few_rows(rows, split)
        return counts


def _cure(rows: CleanRows, config: SplitConfig) -> str:
    if config.kind == "time_window":
        return "give more rows, or other times by split.test_from and those next to it"
    short = _users_with_too_few_rows(rows, split_of(config))
    return (
        f"{short} users have fewer than split.min_rows = {config.min_rows} rows; give more rows, "
        f"or other shares than split.test = {config.test} and split.validation = "
        f"{config.validation}"
    )


def _users_with_too_few_rows(rows: CleanRows, split: Split) -> int:
    few = (rows.rows_of_user > 0) & (rows.rows_of_user < split.least_rows)
    return int(few.sum())
