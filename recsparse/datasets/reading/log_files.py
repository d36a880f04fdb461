"""The files of a log, opened by the settings of the log."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.find_files import Paths
from recsparse.datasets.reading.roles import Roles
from recsparse.datasets.reading.tables import open_dataset, require_columns
from recsparse.datasets.reading.text_files import NULLS
from recsparse.datasets.schema import ID_KINDS
from recsparse.errors import SchemaError


@dataclass(frozen=True)
class OtherIds:
    """Ids that those of a log are to fit.

    Attributes:
        user: The type of the user ids, int64 or string; None if there are none.
        item: The type of the item ids, likewise.
        decide: Files of text and partition keys are read in these types whatever is written there,
            as ids that a model knows or does not; else they only count together with the log's own.
    """

    user: pa.DataType | None = None
    item: pa.DataType | None = None
    decide: bool = False


NO_OTHERS = OtherIds()


def open_log(
    paths: Paths,
    config: LogConfig,
    extra: Sequence[str] = (),
    others: OtherIds = NO_OTHERS,
    keys_are_numbers: bool = False,
) -> ds.Dataset:
    """Open the files of a log as one dataset, each column read by its role.

    Args:
        paths: One or several files or folders.
        config: Names of the columns, and the type of ids.
        extra: Further columns, as text.
        others: Ids that those of the log are to fit.
        keys_are_numbers: Partition keys without a role are integers, and not text.

    Returns:
        The dataset.

    Raises:
        MissingFileError: If there is nothing at a path.
        SchemaError: If columns do not fit together.
        InputError: If a file cannot be read.
    """
    kind = ID_KINDS[config.id_type]
    there = {config.user_column: others.user, config.item_column: others.item}
    event = [config.event_column] if config.event_weights else []
    roles = Roles(
        ids={name: kind or (each if others.decide else None) for name, each in there.items()},
        other_ids={name: each for name, each in there.items() if each is not None},
        times=[config.timestamp_column],
        numbers=[config.weight_column, config.rating_column],
        texts=[*event, *extra],
        keys_are_numbers=keys_are_numbers,
    )
    return open_dataset(paths, roles=roles)


def columns_to_read(
    source: ds.Dataset, where: str, config: LogConfig, extra: Sequence[str]
) -> tuple[str, ...]:
    """Return the columns of a log that are read.

    Args:
        source: The files.
        where: What to call them in an error.
        config: Names of the columns.
        extra: Further columns.

    Returns:
        Those that must be there, then those that may be and are.

    Raises:
        SchemaError: If a column is missing, or users and items are one.
    """
    if config.user_column == config.item_column:
        raise SchemaError(
            f"users and items must be two columns, but both are {config.user_column!r}; set "
            "log.user_column and log.item_column"
        )
    required = [config.user_column, config.item_column, *extra]
    if config.min_rating is not None:
        required.append(config.rating_column)
    if config.event_weights:
        required.append(config.event_column)
    require_columns(source, where, required)
    optional = [config.weight_column, config.timestamp_column, config.rating_column]
    there = [name for name in optional if name in source.schema.names]
    return tuple(dict.fromkeys([*required, *there]))


def has_text_files(source: ds.Dataset) -> bool:
    """Tell whether a dataset has files of text.

    Args:
        source: The dataset.

    Returns:
        False where all are Parquet.
    """
    return any(isinstance(each.format, ds.CsvFileFormat) for each in source.get_fragments())


def nulls_of_text(rows: pa.Table, name: str) -> pa.Table:
    """Return rows with null where a column of text has what stands for null in text files.

    Args:
        rows: Any rows.
        name: The column, which need not be there.

    Returns:
        The rows.
    """
    place = rows.schema.get_field_index(name)
    if place < 0 or not pa.types.is_string(rows.schema.field(place).type):
        return rows
    column = rows.column(place)
    known = pc.if_else(pc.is_in(column, NULLS), None, column)
    return rows.set_column(place, rows.schema.field(place), known)
