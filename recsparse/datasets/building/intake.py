"""Reading all sources of a dataset into the encoder; what is set aside is kept and counted."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.config.config import Config
from recsparse.config.data import LogConfig
from recsparse.datasets.building.id_encoder import LogEncoder
from recsparse.datasets.building.log_store import LogStore
from recsparse.datasets.building.prefetch import prefetched
from recsparse.datasets.building.rejected import RejectedRows
from recsparse.datasets.building.reviews import Reviews
from recsparse.datasets.building.split import split_of
from recsparse.datasets.building.splits.time_window import OUTSIDE
from recsparse.datasets.building.taken import Repeats, TakenFiles
from recsparse.datasets.indexed_rows import NO_TIME
from recsparse.datasets.parts import PART_NAMES, TEST
from recsparse.datasets.reading.find_files import Paths
from recsparse.datasets.reading.log_files import OtherIds
from recsparse.datasets.reading.log_source import LogSource, listed
from recsparse.datasets.reading.row_checks import CheckedBatch
from recsparse.datasets.schema import TIMESTAMP
from recsparse.datasets.workspace import Workspace
from recsparse.errors import InputError, SchemaError

logger = logging.getLogger(__name__)

_EVALUATED = PART_NAMES[: TEST + 1]


# The names of the counts in `dataset.toml`.
_NAMES = {
    "log_rows": "rows_read",
    "rejected_rows": "rejected_rows",
    "rows_below_min_rating": "below_min_rating",
    "rows_of_other_events": "other_events",
}
_OUTSIDE = "rows_outside_window"


@dataclass
class IntakeCounts:
    """What became of the rows that were read.

    Attributes:
        rows_read: Rows read.
        rejected_rows: Rows set aside.
        below_min_rating: Rows left out for their rating.
        other_events: Rows left out for their type of event.
        outside_window: Rows left out for their time.
        kept: Rows taken.
        reasons: Rows set aside, by reason.
    """

    rows_read: int = 0
    rejected_rows: int = 0
    below_min_rating: int = 0
    other_events: int = 0
    outside_window: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_dataset(cls, counts: Mapping[str, int]) -> "IntakeCounts":
        """Return the counts that a dataset was made with.

        Args:
            counts: Those of `dataset.toml`.

        Returns:
            The counts, but for the reasons.
        """
        rows_read, rejected, below, other = (counts[name] for name in _NAMES)
        return cls(rows_read, rejected, below, other, counts.get(_OUTSIDE, 0))

    def add(self, batch: CheckedBatch) -> None:
        """Count a batch.

        Args:
            batch: Checked rows.
        """
        self.rows_read += batch.rows_read
        self.rejected_rows += batch.rejected.num_rows
        self.reasons.update(batch.reasons)
        self.below_min_rating += batch.below_min_rating
        self.other_events += batch.other_events

    def to_dict(self) -> dict[str, int]:
        """Return the counts by the names that `dataset.toml` has.

        Returns:
            Names and numbers of rows.
        """
        outside = {_OUTSIDE: self.outside_window} if self.outside_window else {}
        return {name: getattr(self, field) for name, field in _NAMES.items()} | outside


def _opened(
    logs: Iterable[Paths],
    config: LogConfig,
    extra: Sequence[str],
    kept: tuple[str, pa.DataType, pa.DataType] | None,
) -> list[LogSource]:
    """Open logs whose ids are to be of one type, whichever of them says that they are text."""
    others = OtherIds(*kept[1:]) if kept else OtherIds()
    sources = [LogSource.open(paths, config, extra, others) for paths in logs]
    users, items = ({source.user_type for source in sources}, {each.item_type for each in sources})
    if kept is not None or max(len(users), len(items)) == 1:
        return sources
    user, item = (pa.string() if len(types) > 1 else None for types in (users, items))
    return [LogSource.open(paths, config, extra, OtherIds(user, item)) for paths in logs]


class Intake:
    """Reads logs batch by batch.

    Args:
        logs: The logs whose rows are all of one part, by its number; those of `None` are not.
        config: How to read a log and what to read of it.
        work: The workspace.
        store: Rows of a dataset that come first, if there are any.
        kept: Where the ids come from that keep their indices, and their types, if there are any.
        repeats: What to do with files that were taken before, or are given twice.

    Raises:
        InputError: If there are such files and they are refused.
    """

    def __init__(
        self,
        logs: Mapping[int | None, Paths],
        config: Config,
        work: Workspace,
        store: LogStore | None = None,
        kept: tuple[str, pa.DataType, pa.DataType] | None = None,
        repeats: Repeats = "refuse",
    ) -> None:
        self._config, self._work, self._store = config, work, store
        self._split = split_of(config.split)
        by_column = self._split.parts_in_log and set(logs) <= {None}
        self._part_column = config.split.column if by_column else None
        extra = [*config.text.log_columns, *([self._part_column] if self._part_column else [])]
        opened = _opened(logs.values(), config.log, extra, kept)
        self.taken = _taken(opened, store)
        self._sources = [*zip(self.taken.kept(repeats), logs, strict=True)]
        self.counts = IntakeCounts.of_dataset(store.counts) if store else IntakeCounts()
        self.rejected = RejectedRows(work)
        self.types = self._id_types(kept)
        self.reviews = Reviews(work) if config.text.log_columns else None

    @property
    def num_rows(self) -> int | None:
        """Rows to be read, None where it is not known."""
        known = [source.num_rows for source, _ in self._sources]
        return None if None in known else sum(filter(None, known))

    def _id_types(
        self, kept: tuple[str, pa.DataType, pa.DataType] | None
    ) -> tuple[pa.DataType, pa.DataType]:
        # All sources must agree in them.
        found = [(source.where, source.user_type, source.item_type) for source, _ in self._sources]
        if kept is not None:
            found.insert(0, kept)
        first, *others = found
        for where, *types in others:
            if tuple(types) != first[1:]:
                raise SchemaError(
                    f"user and item ids must have the same types everywhere, but are {first[1]} "
                    f"and {first[2]} in {first[0]}, and {types[0]} and {types[1]} in {where}; cast "
                    "one of them"
                )
        return first[1], first[2]

    def read(self, advance: Callable[[int], None]) -> LogEncoder:
        """Read everything.

        Args:
            advance: Called with the number of rows read so far.

        Returns:
            An encoder that has all good rows.

        Raises:
            InputError: If no row is left.
        """
        encoder = LogEncoder(self._work, *self.types)
        if self._store is not None:
            self._store.add_to(encoder)
            self.rejected.add_file(self._store.rejected)
            if self.reviews is not None:
                self.reviews.load(self._store.path.parent)
        with self.taken.hashed():
            self._read_logs(encoder, advance)
        if self.counts.kept == 0 and self._store is None:
            raise self._nothing_left()
        return encoder

    def _read_logs(self, encoder: LogEncoder, advance: Callable[[int], None]) -> None:
        for number, (source, part) in enumerate(self._sources):
            for batch in prefetched(source.batches()):
                self.counts.add(batch)
                self.rejected.add(batch.rejected, number)
                self._add(encoder, batch.good, part)
                advance(self.counts.rows_read)

    def _add(self, encoder: LogEncoder, good: pa.Table, part: int | None) -> None:
        parts = self._part(good, part)
        if parts is not None and (parts == OUTSIDE).any():
            inside = parts != OUTSIDE
            good, parts = good.filter(pa.array(inside)), parts[inside]
            self.counts.outside_window += int((~inside).sum())
        self.counts.kept += good.num_rows
        if good.num_rows == 0:
            return
        text = None
        if self.reviews is not None:
            text = self.reviews.keep(good, self._config.text.log_columns)
        encoder.add(good, parts, text)

    def _nothing_left(self) -> InputError:
        counts = self.counts
        where = ", ".join(source.where for source, _ in self._sources)
        if counts.rows_read == 0:
            chosen = self._config.log.where
            suffix = "" if chosen is None else f" for which {chosen}"
            return InputError(f"the log must have rows, but {where} has none{suffix}")
        reasons = {
            **counts.reasons,
            "rating too low": counts.below_min_rating,
            "event without a weight": counts.other_events,
            "time outside of the window": counts.outside_window,
        }
        return InputError(
            f"{where} must have good rows, but of {counts.rows_read} none is left: "
            f"{listed(reasons)}"
        )

    def _part(self, good: pa.Table, part: int | None) -> np.ndarray | None:
        if part is not None:
            return np.full(good.num_rows, part, dtype=np.uint8)
        if self._part_column is None:
            seconds = good[TIMESTAMP].fill_null(NO_TIME).to_numpy()
            return self._split.part_of_times(seconds)
        names = good[self._part_column]
        found = pc.index_in(names, value_set=pa.array(_EVALUATED))
        if found.null_count:
            wrong = names.filter(pc.is_null(found))[0].as_py()
            raise InputError(
                f"the column {self._part_column!r} must say train, validation or test, but "
                f"{found.null_count} rows do not; the first says {wrong!r}; rename it, or choose "
                "another split.kind"
            )
        return found.to_numpy().astype(np.uint8)


def _taken(sources: Sequence[LogSource], store: LogStore | None) -> TakenFiles:
    before = [] if store is None else store.taken
    if before is None:
        logger.warning(
            "the dataset that is appended to has no record of its files, since an older build made "
            "it; a file that is in it already is not noticed this time"
        )
    return TakenFiles(sources, before or [])
