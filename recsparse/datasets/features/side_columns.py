"""Which columns of a table of items or users are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from recsparse.config.config import Config
from recsparse.datasets.id_types import Duplicates
from recsparse.datasets.reading.roles import Roles
from recsparse.datasets.schema import id_type, is_list
from recsparse.errors import SchemaError, nearest


@dataclass(frozen=True)
class SideColumns:
    """Which columns of a table are read.

    Attributes:
        ids: The column of ids.
        text: Columns of text; none named means every string column that is nothing else.
        categories: Columns of categories.
        numbers: Columns of numbers.
        vectors: Columns of vectors.
        axis: Whose table it is.
        cast_ids: Ids become those of the log's type, whatever type a Parquet file gives them.
        duplicates: What to do with an id that is there more than once.
    """

    ids: str
    text: Sequence[str] = ()
    categories: Sequence[str] = ()
    numbers: Sequence[str] = ()
    vectors: Sequence[str] = ()
    axis: Literal["item", "user"] = "item"
    cast_ids: bool = False
    duplicates: Duplicates = "error"

    @classmethod
    def of_config(cls, config: Config, axis: Literal["item", "user"]) -> "SideColumns":
        """Return the columns that a configuration names.

        Args:
            config: Sections `log`, `text` and `features`.
            axis: Whose table it is.

        Returns:
            The columns.
        """
        log, text, features = config.log, config.text, config.features
        ids = log.id_type != "auto", features.duplicates
        if axis == "user":
            named = features.user_categories, features.user_numbers, features.user_vectors
            return cls(log.user_column, text.user_columns, *named, axis, *ids)
        named = features.categories, features.numbers, features.vectors
        return cls(log.item_column, text.columns, *named, axis, *ids)

    def roles(self, id_type: pa.DataType) -> Roles:
        """Return what the columns are for, to open the table.

        Args:
            id_type: Type of the ids of the log.

        Returns:
            The roles.
        """
        texts = [*self.text, *self.categories]
        numbers = [name for name in self.numbers if name not in texts]
        return Roles(ids={self.ids: id_type}, numbers=numbers, texts=texts)

    def all(self, bags: tuple[str, str] | None) -> list[str]:
        """Return the columns but that of ids, each once.

        Args:
            bags: Columns of precomputed bags.

        Returns:
            Their names.
        """
        named = [*self.text, *self.categories, *self.numbers, *self.vectors, *(bags or ())]
        return [name for name in dict.fromkeys(named) if name != self.ids]

    def only_numbers(self) -> set[str]:
        """Return the columns that are numbers and nothing else.

        Returns:
            Their names.
        """
        return set(self.numbers) - set(self.categories) - set(self.text)

    def those_of(
        self, schema: pa.Schema, bags: tuple[str, str] | None, where: object
    ) -> "SideColumns":
        """Return those columns that a table has, for one whose rows are laid over another.

        Args:
            schema: Of the table.
            bags: Columns of precomputed bags.
            where: What to call the table in an error.

        Returns:
            The columns, those of text by name.

        Raises:
            SchemaError: If there is no column of ids, or nothing to read.
        """
        names = schema.names
        if self.ids not in names:
            raise SchemaError(
                f"{where} must have the column {self.ids!r}, but it has {', '.join(names)}; "
                f"{nearest(self.ids, names)}"
            )
        text, categories, numbers, vectors = (
            [name for name in wanted if name in names]
            for wanted in (self.text, self.categories, self.numbers, self.vectors)
        )
        there = replace(self, text=text, categories=categories, numbers=numbers, vectors=vectors)
        if not self.text:
            return there.resolved(schema, bags, where)
        if there.all(None) or set(bags or ()) & set(names):
            return there
        raise self._nothing_to_read(schema, where)

    def resolved(
        self, schema: pa.Schema, bags: tuple[str, str] | None, where: object
    ) -> "SideColumns":
        """Return the columns with those of text by name.

        Args:
            schema: Of the table.
            bags: Columns of precomputed bags, which take the place of text.
            where: What to call the table in an error.

        Returns:
            The columns.

        Raises:
            SchemaError: If there is nothing to read.
        """
        columns = self
        if not self.text and bags is None:
            others = {self.ids, *self.categories}
            found = [
                each.name
                for each in schema
                if id_type(each.type) == pa.string() and each.name not in others
            ]
            columns = replace(self, text=found)
        if columns.all(bags):
            return columns
        raise self._nothing_to_read(schema, where)

    def _nothing_to_read(self, schema: pa.Schema, where: object) -> SchemaError:
        return SchemaError(
            f"{where} must have a text column, or columns of features must be named, but it has "
            f"only {', '.join(schema.names)}; {self._cure(schema)}"
        )

    def _cure(self, schema: pa.Schema) -> str:
        prefix = "" if self.axis == "item" else "user_"
        text, categories = f"text.{prefix}columns", f"features.{prefix}categories"
        lists = [each.name for each in schema if is_list(each.type)]
        if lists:
            return f"name lists such as {lists[0]!r} in {text} (words) or in {categories}"
        return f"name others in {categories} or features.{prefix}numbers"
