"""What a dataset is made of: logs and tables, in files or in frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recsparse.config.config import Config
from recsparse.datasets.building.taken import Repeats
from recsparse.datasets.frames import Table, Tables, as_files
from recsparse.datasets.parts import TEST, VALIDATION
from recsparse.datasets.reading.find_files import Paths
from recsparse.outputs.job import Job, local_paths

DATA_SECTIONS = {"seed", "log", "split", "text", "features", "order"}


@dataclass(frozen=True)
class Sources:
    """What a dataset is made of; each log and table is in files or a frame.

    Attributes:
        logs: Files, folders, globs or addresses of interactions, a frame of pandas, Polars or
            Arrow, or a list of such.
        validation: Logs whose rows are all for validation; with these or `test` the split is given.
        test: Logs whose rows are all for the test.
        items: A table of items with text and features.
        users: A table of users with text and features.
        append_to: A dataset whose rows come first, and whose ids keep their indices.
        ids_from: A dataset whose ids keep their indices; its rows are not taken.
        repeats: Files of logs that were taken before, or are given twice: `refuse` all, `skip`
            them, or `take` them once more. A frame counts by its content.
    """

    logs: Tables = ()
    validation: Tables = ()
    test: Tables = ()
    items: Table | None = None
    users: Table | None = None
    append_to: str | Path | None = None
    ids_from: str | Path | None = None
    repeats: Repeats = "refuse"

    @contextmanager
    def in_files(self, folder: Path | None = None) -> Iterator["FileSources"]:
        """Write all frames to files, which are gone afterwards.

        Args:
            folder: Where to; None for the system's folder of temporary files.

        Yields:
            The same sources, in files alone.

        Raises:
            InputError: If a frame has a column that Parquet cannot hold.
            InputTypeError: If a value is neither path, frame nor list of them.
            OutputError: If there is no room for the files.
        """
        with as_files(
            folder,
            logs=self.logs,
            validation=self.validation,
            test=self.test,
            items=self.items,
            users=self.users,
        ) as (logs, validation, test, items, users):
            datasets = self.append_to, self.ids_from
            yield FileSources(logs, validation, test, items, users, *datasets, self.repeats)


@dataclass(frozen=True)
class FileSources(Sources):
    """Sources in files alone."""

    logs: Paths = ()
    validation: Paths = ()
    test: Paths = ()
    items: str | Path | None = None
    users: str | Path | None = None

    def by_part(self) -> dict[int | None, Paths]:
        """Return the logs by the part that all their rows belong to, None where it is not one."""
        if not self.validation and not self.test:
            return {None: self.logs}
        given = {0: self.logs, VALIDATION: self.validation, TEST: self.test}
        return {part: paths for part, paths in given.items() if paths}

    def tables(self) -> list[str | Path]:
        """Return the logs of all parts and the tables."""
        given = self.logs, self.validation, self.test, self.items or (), self.users or ()
        return [
            path
            for paths in given
            for path in ([paths] if isinstance(paths, (str, Path)) else paths)
        ]

    def job(self, config: Config) -> Job:
        """Return what a dataset of these sources is made from; its successor may take its place.

        Args:
            config: Sections `log`, `split`, `text`, `features` and `order`, and the seed.

        Returns:
            The job.
        """
        logs = [
            paths if isinstance(paths, (str, Path)) else sorted(map(str, paths))
            for paths in (self.logs, self.validation, self.test)
        ]
        others = self.items, self.users, self.append_to, self.ids_from
        roles = [len(local_paths(each)) for each in (*logs, *others)]
        settings = config.model_dump(mode="json", include=DATA_SECTIONS), roles, self.repeats
        base = self.append_to or self.ids_from
        return Job.of("prepare", [*logs, *others], settings, base)
