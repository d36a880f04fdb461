"""The types of columns that files of text and partition keys leave open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from recsparse.datasets.reading.find_files import Files
from recsparse.datasets.reading.roles import Roles
from recsparse.datasets.reading.text_files import are_integers, column_types, is_text
from recsparse.datasets.schema import id_type, is_list


@dataclass(frozen=True)
class Layout:
    """What the files of a dataset have.

    Attributes:
        found: The files.
        schemas: The columns of each file, as Arrow sees them, which is a guess in files of text.
        keys: The keys of partitions that are columns, and their values by file.
    """

    found: Sequence[Files]
    schemas: Mapping[str, pa.Schema]
    keys: Mapping[str, Mapping[str, str | None]]

    @property
    def text_files(self) -> set[str]:
        """The files of text."""
        return {name for files in self.found if is_text(files) for name in files.names}


def settled_types(layout: Layout, roles: Roles) -> dict[str, pa.DataType]:
    """Return the types of the columns of which files of text or partition keys have values.

    - A key, or a column of text, that has no role is of the type that Parquet files have; a key
      without one is text.
    - Ids are of the type that is settled. Else, they are text where Parquet files have text, where
      a partition key gives them and no Parquet file has integers, and where one of them is not
      written as integers are (007, +7, 7.0, A7); integers otherwise.
    - Times are text if a key gives them; in files of text, numbers if all of them are.
    - Numbers are float64, texts are strings.

    Args:
        layout: What the files have.
        roles: What the columns are for.

    Returns:
        Types by column; columns that only Parquet files have are left out.
    """
    return _Settling.of(layout, roles).types()


@dataclass(frozen=True)
class _Settling:
    layout: Layout
    roles: Roles
    own: Mapping[str, set[pa.DataType]]
    in_text: set[str]

    @classmethod
    def of(cls, layout: Layout, roles: Roles) -> "_Settling":
        own: dict[str, set[pa.DataType]] = {}
        in_text: set[str] = set()
        text_files = layout.text_files
        for file, schema in layout.schemas.items():
            if file in text_files:
                in_text.update(schema.names)
                continue
            for field in schema:
                if not pa.types.is_null(field.type):
                    own.setdefault(field.name, set()).add(field.type)
        return cls(layout, roles, own, in_text)

    def types(self) -> dict[str, pa.DataType]:
        roles, keys = self.roles, self.layout.keys
        seen = self._seen()
        types = {name: self._key_type(name) for name in keys if name not in roles.names}
        open_ended = {*keys, *self.in_text}
        types |= {name: self._id_type(name, seen) for name in roles.ids if name in open_ended}
        types |= {name: self._time_type(name, seen) for name in roles.times if name in open_ended}
        for kind, names in ((pa.float64(), roles.numbers), (pa.string(), roles.texts)):
            types |= {
                name: kind
                for name in names
                if name in open_ended and not any(map(is_list, self.own.get(name, ())))
            }
        return types

    def _seen(self) -> dict[str, pa.DataType]:
        """Return the types that values in files of text have, of columns where they matter."""
        ids = [
            name
            for name, kind in self.roles.ids.items()
            if kind is None and pa.string() not in self._known_ids(name)
        ]
        names = [name for name in (*ids, *self.roles.times) if name in self.in_text]
        return column_types(self.layout.found, self.layout.schemas, names) if names else {}

    def _key_type(self, name: str) -> pa.DataType:
        if name in self.in_text:
            return pa.string()
        plain = pa.int64() if self.roles.keys_are_numbers else pa.string()
        return next(iter(self.own.get(name, ())), plain)

    def _known_ids(self, name: str) -> set[pa.DataType]:
        kinds = {id_type(kind) for kind in self.own.get(name, ())}
        return (kinds | {self.roles.other_ids.get(name)}) - {None}

    def _id_type(self, name: str, seen: Mapping[str, pa.DataType]) -> pa.DataType:
        settled = self.roles.ids[name]
        if settled is not None:
            # Text of Parquet files is made integers later, blank ids with it.
            return pa.string() if pa.string() in self._known_ids(name) else settled
        known, values = self._known_ids(name), self.layout.keys.get(name)
        if pa.string() in known or (values is not None and pa.int64() not in known):
            return pa.string()
        keys = pa.array(list(filter(None, (values or {}).values())), pa.string())
        has_integers = seen.get(name, pa.int64()) == pa.int64() and are_integers(keys)
        return pa.int64() if has_integers else pa.string()

    def _time_type(self, name: str, seen: Mapping[str, pa.DataType]) -> pa.DataType:
        own = self.own.get(name, set())
        numbers = (pa.types.is_integer, pa.types.is_floating)
        are_numbers = all(any(kind(each) for kind in numbers) for each in own)
        if name in self.layout.keys or not are_numbers:
            return pa.string()
        has_fractions = any(map(pa.types.is_floating, own))
        found = seen.get(name, pa.int64())
        return pa.float64() if has_fractions and found == pa.int64() else found
