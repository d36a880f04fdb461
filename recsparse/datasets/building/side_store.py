"""Tables of items and users kept within a dataset, over which the rows of newer ones are laid."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recsparse.datasets.building.row_groups import ROWS, write_row_groups
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.id_types import are_last
from recsparse.datasets.indexed_rows import RowsWriter
from recsparse.datasets.reading.tables import open_dataset, read_batches, read_columns
from recsparse.datasets.schema import to_ids
from recsparse.datasets.workspace import Workspace
from recsparse.errors import SchemaError

_CHUNK_ROWS = 8_192


class KeptTable:
    """Those columns of a table that are read, in types that two tables can share.

    Strings of all kinds are strings, signed integers int64, fractions float64, dictionaries and
    large lists what they stand for. The column of ids comes first.

    Args:
        dataset: The rows.
        columns: Those to keep, of which some may be missing.
        bags: Columns of precomputed bags.
        id_type: Type of the ids of the log.
        where: What to call the table in an error.
    """

    def __init__(
        self,
        dataset: ds.Dataset,
        columns: SideColumns,
        bags: tuple[str, str] | None,
        id_type: pa.DataType,
        where: str,
    ) -> None:
        self.dataset, self.columns, self.where, self.bags = dataset, columns, where, bags
        self._ids = columns.ids
        kinds = {
            name: pa.list_(pa.float32())
            if name in columns.vectors
            else _kept_type(dataset.schema.field(name).type, _empty_type(columns, bags, name))
            for name in columns.all(bags)
            if name in dataset.schema.names
        }
        self.schema = pa.schema({columns.ids: id_type, **kinds})

    def is_empty(self, name: str) -> bool:
        """Say whether a column holds nothing but nulls; it is read for that.

        Args:
            name: The column.

        Returns:
            Whether it does.
        """
        column = read_columns(self.dataset, [name])[name]
        return bool(column.null_count == len(column))

    def ids(self) -> pa.Array:
        """Return the ids.

        Returns:
            One per row.
        """
        return self._as_ids(read_columns(self.dataset, [self._ids])[self._ids])

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows, of each id the last.

        Args:
            schema: Ids, then columns in types that those of this table can be cast to; null where
                it lacks one.

        Yields:
            Batches, in the order of the table.
        """
        last, start = are_last(self.ids()), 0
        for batch in read_batches(self.dataset, self.schema.names, _CHUNK_ROWS):
            stays = last[start : start + batch.num_rows]
            start += batch.num_rows
            if not stays.all():
                batch = batch.filter(pa.array(stays))
            columns = [
                _cast(batch.column(field.name), field.type)
                if field.name in self.schema.names[1:]
                else pa.nulls(batch.num_rows, field.type)
                for field in list(schema)[1:]
            ]
            ids = self._as_ids(batch.column(self._ids))
            yield pa.RecordBatch.from_arrays([ids, *columns], schema=schema)

    def _as_ids(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        kind = self.schema.field(0).type
        return to_ids(column, f"the column {self._ids!r} of {self.where}", kind)


def merged_schema(old: KeptTable, new: KeptTable, columns: SideColumns) -> pa.Schema:
    """Return the columns of two tables.

    Args:
        old: The table of a dataset.
        new: One whose rows are laid over it.
        columns: What they are read for.

    Returns:
        Ids, then the columns: text, categories, numbers, vectors, bags.

    Raises:
        SchemaError: If a column has types that do not fit.
    """
    fields = [new.schema.field(0)]
    for name in dict.fromkeys([*old.schema.names[1:], *new.schema.names[1:]]):
        kinds = [
            table.schema.field(name).type for table in (old, new) if name in table.schema.names[1:]
        ]
        if len(set(kinds)) == 1:
            fields.append(pa.field(name, kinds[0]))
        elif name in columns.only_numbers() and all(map(_is_numeric, kinds)):
            fields.append(pa.field(name, pa.float64()))
        elif old.is_empty(name):
            fields.append(pa.field(name, kinds[1]))
        elif new.is_empty(name):
            fields.append(pa.field(name, kinds[0]))
        else:
            raise SchemaError(_other_types(name, old, new))
        # It would be passed over as text, and be null then.
        if name not in new.schema.names and name in new.dataset.schema.names:
            raise SchemaError(_other_types(name, old, new))
    schema = pa.schema(fields)
    # In the order of a table that has all of them.
    order = columns.resolved(schema, new.bags, new.where).all(new.bags)
    return pa.schema([fields[0], *(schema.field(name) for name in order if name in schema.names)])


def _other_types(name: str, old: KeptTable, new: KeptTable) -> str:
    return (
        f"the column {name!r} must have one type in all tables, but is "
        f"{old.schema.field(name).type} in {old.where} and {new.dataset.schema.field(name).type} "
        f"in {new.where}; cast it"
    )


def save_tables(
    tables: Sequence[KeptTable], schema: pa.Schema, path: Path, work: Workspace
) -> None:
    """Write the rows of tables by their ids; of rows of the same id that of the last table stays.

    Args:
        tables: At least one; no id is null.
        schema: Their columns.
        path: The Parquet file.
        work: The workspace.
    """
    unsorted = work.folder / f"{path.stem}.arrow"
    with RowsWriter(unsorted, schema) as writer:
        for place, table in enumerate(tables):
            later = [each.ids() for each in tables[place + 1 :]]
            for batch in table.batches(schema):
                replaced = [pc.is_in(batch.column(0), value_set=ids) for ids in later]
                for each in replaced:
                    batch = batch.filter(pc.invert(each))
                writer.write(batch)
    cursor = work.database.cursor()
    with pa.memory_map(str(unsorted)) as file:
        cursor.register("side_rows", pa.ipc.open_file(file).read_all())
        reader = cursor.sql("SELECT * FROM side_rows ORDER BY 1").to_arrow_reader(ROWS)
        # DuckDB knows fewer types of strings and lists, and no two names that differ in case.
        batches = (
            pa.RecordBatch.from_arrays(
                [
                    _cast(column, kind)
                    for column, kind in zip(batch.columns, schema.types, strict=True)
                ],
                schema=schema,
            )
            for batch in reader
        )
        write_row_groups(pa.RecordBatchReader.from_batches(schema, batches), path)
    cursor.close()
    unsorted.unlink()


def kept_table(
    path: str | Path,
    columns: SideColumns,
    bags: tuple[str, str] | None,
    id_type: pa.DataType,
    where: str,
) -> KeptTable:
    """Open a table, of which some of the wanted columns may be missing.

    Args:
        path: A file, a folder, a glob or an address.
        columns: What is read of it.
        bags: Columns of precomputed bags.
        id_type: Type of the ids of the log.
        where: What to call the table in an error.

    Returns:
        The table.

    Raises:
        SchemaError: If the column of ids is missing, or there is nothing to read.
    """
    dataset = open_dataset(path, roles=columns.roles(id_type))
    named = columns.those_of(dataset.schema, bags, where)
    return KeptTable(dataset, named, bags, id_type, where)


def _is_numeric(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return any(each(kind) for each in kinds)


def _empty_type(columns: SideColumns, bags: tuple[str, str] | None, name: str) -> pa.DataType:
    """Return the type of a column of nulls, or of the elements of a list without any."""
    if name in (bags or ()):
        return pa.int64()
    return pa.float64() if name in columns.only_numbers() else pa.string()


def _kept_type(found: pa.DataType, empty: pa.DataType) -> pa.DataType:
    kinds = pa.types
    if kinds.is_dictionary(found):
        return _kept_type(found.value_type, empty)
    if kinds.is_list(found) or kinds.is_large_list(found):
        return pa.list_(_kept_type(found.value_type, empty))
    if kinds.is_null(found):
        return empty
    if kinds.is_integer(found):
        return found if kinds.is_uint64(found) else pa.int64()
    if kinds.is_floating(found) or kinds.is_decimal(found):
        return pa.float64()
    is_text = kinds.is_string(found) or kinds.is_large_string(found) or kinds.is_string_view(found)
    return pa.string() if is_text else found


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    # Numbers become float64 as they do where features are fitted, whatever that costs in digits.
    return column.cast(kind, safe=not pa.types.is_float64(kind))
