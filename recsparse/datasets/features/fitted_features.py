"""FittedFeatures: what it takes to read another table as a dataset has read its own."""

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.datasets.features.categories_and_numbers import CategoryFeatures, NumberFeatures
from recsparse.datasets.features.groups import REVIEWS, Group, groups_of
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_rows import SideRows
from recsparse.datasets.features.side_table import SideFeatures
from recsparse.datasets.features.vectors import VectorFeatures
from recsparse.datasets.frames import Tables, as_files
from recsparse.datasets.reading.find_files import named
from recsparse.datasets.reading.tables import open_dataset
from recsparse.datasets.schema import ID_KINDS
from recsparse.errors import InputError, MissingFileError
from recsparse.files.atomic import atomic_file

logger = logging.getLogger(__name__)

# The files that `save` may write, behind a prefix such as `item`; the second where there is text.
FITTED_FILES = ("_features.json", "_words.parquet")


@dataclass(frozen=True, eq=False)
class FittedFeatures:
    """What was fitted of the features of one axis.

    Attributes:
        columns: What is read of a table, columns of text by name.
        id_type: Type of the ids, int64 or string.
        side: Words, names of categories, scales of numbers and vectors; of no ids.
        num_review_words: Words of the log's own text, of which ids without rows have none; None
            where the log has no text.
    """

    columns: SideColumns
    id_type: pa.DataType
    side: SideFeatures
    num_review_words: int | None = None

    @classmethod
    def of(
        cls,
        columns: SideColumns,
        id_type: pa.DataType,
        side: SideFeatures,
        reviews: SideFeatures,
    ) -> "FittedFeatures | None":
        """Take what was fitted from the features of a dataset.

        Args:
            columns: What the configuration says is to be read.
            id_type: Type of the ids.
            side: Features of a table.
            reviews: Features of texts of the log.

        Returns:
            What was fitted; None where there was no table, or an older build did not keep the names
            of its columns of text.
        """
        words, categories = side.words, side.categories
        if all(each is None for each in (words, categories, side.numbers, side.vectors)):
            return None
        text: tuple[str, ...] = ()
        if words is not None and words.config.bag_columns is None:
            text = words.config.columns or tuple(columns.text)
            if not text:
                return None
        of_none = SideFeatures(
            words,
            None,
            None if categories is None else categories.of([], 0),
            None if side.numbers is None else replace(side.numbers, values=side.numbers.values[:0]),
            None if side.vectors is None else replace(side.vectors, values=side.vectors.values[:0]),
        )
        num_words = None if reviews.bags is None else reviews.bags.shape[1]
        return cls(replace(columns, text=text), id_type, of_none, num_words)

    def read(self, table: Tables) -> tuple[pa.Array, list[Group]]:
        """Read a table; what training does not know of its words and categories is ignored.

        Numbers and vectors are scaled as those of training ids were. A missing number is 0, with
        its mark where training had one, and so is a missing vector.

        Args:
            table: A frame, a file, a folder, a glob, an address, or a list of these.

        Returns:
            The ids in the order of the table, and their features: the groups, and of each the
            columns, of the dataset.

        Raises:
            SchemaError: If a column is missing or of a wrong type.
            InputError: If an id is null, blank or of another type, or there twice where that is an
                error, or a vector is of another length than those of training or holds no finite
                numbers.
        """
        tables: dict[str, Any] = {f"{self.columns.axis}s": table}
        with as_files(**tables) as (paths,):
            dataset = open_dataset(paths, roles=self.columns.roles(self.id_type))
            words = self.side.words
            bags = None if words is None else words.config.bag_columns
            rows = SideRows(dataset, named(paths), self.columns, bags)
            rows.check(self.id_type)
            ids, counts = rows.ids(self.id_type)
            ids = ids.filter(pa.array(counts))
            index = np.where(counts, counts.cumsum() - 1, -1)
            groups = groups_of(*self._features(rows, index, len(ids)), slice(None))
        _warn_of_nothing(ids, groups, rows.where)
        return ids, groups

    def _features(
        self, rows: SideRows, index: NDArray[np.int64], size: int
    ) -> tuple[SideFeatures, SideFeatures]:
        side = self.side
        categories, numbers, vectors = side.categories, side.numbers, side.vectors
        if categories is not None:
            categories = categories.of(rows.categories(index), size)
        if numbers is not None:
            numbers = numbers.of(rows.numbers(index, size))
        if vectors is not None:
            sizes = dict(zip(vectors.names, vectors.sizes, strict=True))
            vectors = vectors.of(rows.vectors(index, size, sizes))
        bags = None if side.words is None else _bags(side.words, rows, index, size)
        reviews = None
        if self.num_review_words is not None:
            reviews = csr_matrix((size, self.num_review_words), dtype=np.float32)
        own = SideFeatures(side.words, bags, categories, numbers, vectors)
        return own, SideFeatures(bags=reviews)

    def save(self, folder: Path, prefix: str) -> None:
        """Write all that was fitted, `FITTED_FILES` behind a prefix.

        Args:
            folder: Where to.
            prefix: What the names of the files begin with, such as `item`.

        Raises:
            OutputError: If they cannot be written.
        """
        side = self.side
        described: dict[str, Any] = {
            "columns": asdict(self.columns),
            "ids": next(name for name, kind in ID_KINDS.items() if kind == self.id_type),
            "has_words": side.words is not None,
            "review_words": self.num_review_words,
        }
        if side.categories is not None:
            described["categories"] = side.categories.names
        if side.numbers is not None:
            mean, scale = side.numbers.mean.tolist(), side.numbers.scale.tolist()
            described["numbers"] = {"names": side.numbers.names, "mean": mean, "scale": scale}
        if side.vectors is not None:
            names, sizes = side.vectors.names, side.vectors.sizes
            scale = side.vectors.scale.tolist()
            described["vectors"] = {"names": names, "sizes": sizes, "scale": scale}
        with atomic_file(folder / f"{prefix}{FITTED_FILES[0]}") as aside:
            aside.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
        if side.words is not None:
            side.words.save(folder / f"{prefix}{FITTED_FILES[1]}")

    @classmethod
    def load(cls, folder: Path, prefix: str) -> "FittedFeatures":
        """Read what `save` wrote.

        Args:
            folder: Where it is.
            prefix: What the names of the files begin with.

        Returns:
            What was fitted.

        Raises:
            MissingFileError: If a file is missing.
            InputError: If a file is damaged.
        """
        path = folder / f"{prefix}{FITTED_FILES[0]}"
        if not path.exists():
            raise MissingFileError(
                f"{path} must say how features are read, but is not there; make the folder anew"
            )
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
            kept: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in described["columns"].items()
            }
            columns = SideColumns(**kept)
            kind, has_words = ID_KINDS[described["ids"]], described["has_words"]
            side, num_review_words = _side(described), described["review_words"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} must be as it was written, but {error!r}; make the folder anew"
            ) from error
        if has_words:
            side = replace(side, words=BagOfWords.load(folder / f"{prefix}{FITTED_FILES[1]}"))
        return cls(columns, kind, side, num_review_words)


def _side(described: dict[str, Any]) -> SideFeatures:
    categories = numbers = vectors = None
    if "categories" in described:
        names = tuple(described["categories"])
        categories = CategoryFeatures(names, csr_matrix((0, len(names)), dtype=np.float32))
    if "numbers" in described:
        names, mean, scale = (described["numbers"][key] for key in ("names", "mean", "scale"))
        nothing = np.empty((0, len(names)), dtype=np.float32)
        numbers = NumberFeatures(tuple(names), np.array(mean), np.array(scale), nothing)
    if "vectors" in described:
        names, sizes, scale = (described["vectors"][key] for key in ("names", "sizes", "scale"))
        nothing = np.empty((0, sum(sizes)), dtype=np.float32)
        vectors = VectorFeatures(tuple(names), tuple(sizes), np.array(scale), nothing)
    return SideFeatures(categories=categories, numbers=numbers, vectors=vectors)


def _bags(words: BagOfWords, rows: SideRows, index: NDArray[np.int64], size: int) -> csr_matrix:
    if words.config.bag_columns is not None:
        return words.transform_bags(rows.bags(index, words.config.bag_columns), size)
    pieces = [words.transform(texts) for _, texts in rows.texts(index)]
    return vstack([csr_matrix((0, len(words)), dtype=np.float32), *pieces], format="csr")


def _warn_of_nothing(ids: pa.Array, groups: list[Group], where: str) -> None:
    for group in groups:
        is_named = group.kind in ("words", "categories") and group.name != REVIEWS
        if is_named and len(ids) and not group.values.sum():
            logger.warning(
                "none of the %d rows of %s has any of the %s of %r that training knows, so all "
                "of these are ignored",
                len(ids),
                where,
                group.kind,
                group.name,
            )
