"""Where the features of an axis come from: a table that is named, that of the dataset, or both."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.data import TextConfig
from recsparse.datasets.building.log_store import LogStore
from recsparse.datasets.building.part_files import Axis
from recsparse.datasets.building.side_store import (
    KeptTable,
    kept_table,
    merged_schema,
    save_tables,
)
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_table import (
    SideFeatures,
    fit_side_features,
    require_side_schema,
    require_side_table,
)
from recsparse.datasets.id_types import rows_that_count
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.workspace import Workspace
from recsparse.errors import InputError
from recsparse.files.stand_ins import called

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SideSource:
    """The tables of one axis.

    Attributes:
        new: The table that is named, if any.
        old: That of the dataset that is appended to, if it has one.
        columns: What is read of them.
        text: How text becomes a bag of words.
    """

    new: str | Path | None
    old: Path | None
    columns: SideColumns
    text: TextConfig

    def check(self, id_type: pa.DataType) -> None:
        """Raise an error unless the tables can be read; no row of a single one is.

        Args:
            id_type: Type of the ids of the log.

        Raises:
            SchemaError: If a column is missing, of a wrong type, or of other types in both tables.
            InputError: If ids are of another type than the log's, none or repeated, or there is no
                such table.
        """
        if self.new is None:
            return
        if self.old is None:
            require_side_table(self.new, self.columns, id_type, self.text)
            return
        old, new = self._kept(self.old, id_type), self._kept(self.new, id_type)
        require_side_schema(new.dataset.schema, new.columns, id_type, self.text, new.where)
        schema = merged_schema(old, new, self.columns)
        require_side_schema(schema, self.columns, id_type, self.text, new.where)
        rows_that_count(new.ids(), new.where, self.columns.duplicates)

    def fit(self, axis: Axis, log: Path, work: Workspace) -> tuple[SideFeatures, Vocabulary | None]:
        """Fit the features on the training ids, and keep the table.

        Args:
            axis: The ids.
            log: The folder of the log in the dataset in the making.
            work: The workspace.

        Returns:
            The features, and the ids that the table alone has, which come behind those of the
            axis; none where there is no table.
        """
        id_type, path = axis.train.ids.type, log / table_name(self.columns.axis)
        if self.old is None:
            if self.new is None:
                return SideFeatures(), None
            fitted = fit_side_features(self.new, self.columns, axis.train, axis.unseen, self.text)
            kept = self._kept(self.new, id_type)
            save_tables([kept], kept.schema, path, work)
            return fitted
        old = self._kept(self.old, id_type)
        tables, where = [old], old.where
        schema = old.schema.set(0, pa.field(self.columns.ids, id_type))
        if self.new is not None:
            new = self._kept(self.new, id_type)
            tables, where = [old, new], f"{where} with {called(self.new)}"
            schema = merged_schema(old, new, self.columns)
        save_tables(tables, schema, path, work)
        return fit_side_features(path, self.columns, axis.train, axis.unseen, self.text, where)

    def _kept(self, path: str | Path, id_type: pa.DataType) -> KeptTable:
        where, columns = called(path), self.columns
        if path == self.old:
            where = f"the table of {columns.axis}s of the dataset"
            # Its column of ids comes first, whatever the name of that is by now.
            columns = replace(columns, ids=pq.read_schema(path).names[0])
        return kept_table(path, columns, self.text.bag_columns, id_type, where)


def table_name(axis: str) -> str:
    """Return the name of the file that keeps the table of an axis.

    Args:
        axis: `user` or `item`.

    Returns:
        The name.
    """
    return f"{axis}_table.parquet"


def old_table(store: LogStore | None, axis: str, new: str | Path | None) -> Path | None:
    """Return the table of the dataset that is appended to.

    Args:
        store: Its log.
        axis: `user` or `item`.
        new: The table that is named now, if any.

    Returns:
        The file; None where there is none.

    Raises:
        InputError: If the dataset has features, but an older build did not keep their table, and
            none is named.
    """
    if store is None:
        return None
    path = store.path.parent / table_name(axis)
    if path.exists():
        return path
    if f"{axis}_table_not_in_table" not in store.counts:
        return None
    if new is None:
        raise InputError(
            f"the dataset that is appended to has features of {axis}s, but an older build did not "
            f"keep their table; name all of it by --{axis}s"
        )
    logger.warning(
        "the table of %ss of the dataset was not kept by the older build that made it, so %s takes "
        "its place; what only the older one held is lost",
        axis,
        called(new),
    )
    return None
