"""Features: what a model may know of items or users besides rows, in named groups of columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, hstack

from recsparse.errors import InputError, nearest

FeatureKind = Literal["words", "categories", "numbers", "vectors"]
Values: TypeAlias = csr_matrix | NDArray[np.float32]
# All groups that there are, or some by name.
FeatureNames = Literal["all"] | Sequence[str]


@dataclass(frozen=True, eq=False)
class FeatureGroup:
    """Some features.

    Attributes:
        name: As configurations name it, such as `words`, or a column of the table.
        kind: What they are.
        values: float32, ids × columns; a sparse matrix of words and categories, else an array.
    """

    name: str
    kind: FeatureKind
    values: Values

    @property
    def known(self) -> int:
        """How many ids have any."""
        return int(self.is_known.sum())

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which ids have any."""
        if isinstance(self.values, csr_matrix):
            return np.asarray(np.diff(self.values.indptr) > 0)
        return np.asarray(self.values.any(axis=1))


@dataclass(frozen=True, eq=False)
class Features:
    """What is known of some ids.

    Attributes:
        groups: All of the same ids, in the same order.
        num_ids: How many.
    """

    groups: tuple[FeatureGroup, ...]
    num_ids: int

    @classmethod
    def of(cls, groups: Iterable[tuple[str, FeatureKind, Values]]) -> "Features":
        """Return features of names, kinds and values.

        Args:
            groups: At least one.

        Returns:
            The features.

        Raises:
            InputError: If there is none, they are of unlike many ids, or two are of one name.
        """
        found = tuple(FeatureGroup(name, kind, values) for name, kind, values in groups)
        sizes = {group.values.shape[0] for group in found}
        names = [group.name for group in found]
        if len(sizes) != 1 or len({*names}) < len(names):
            raise InputError(
                "features must be groups of different names, of the same ids, but are "
                f"{', '.join(names) or 'none'}, of {sorted(sizes)} ids"
            )
        return cls(found, sizes.pop())

    def chosen(
        self, names: FeatureNames, setting: str = "model.features", of: str = "items"
    ) -> "Features":
        """Return some of the groups, in the order that they have here.

        Args:
            names: Which; `all` for all.
            setting: What names them, for errors.
            of: Whose they are, for errors.

        Returns:
            The groups.

        Raises:
            InputError: If there is no such group.
        """
        if names == "all":
            return self
        known = [group.name for group in self.groups]
        for name in names:
            if name not in known:
                raise InputError(
                    f"{setting} must name features of the {of}, but there are no {name!r}; "
                    f"{nearest(name, known)}"
                )
        return Features(tuple(each for each in self.groups if each.name in names), self.num_ids)

    def rows(self, index: NDArray[np.int64] | slice) -> "Features":
        """Return the features of some ids.

        Args:
            index: Which, in their new order; −1 for an id of which nothing is known.

        Returns:
            The same groups.
        """
        place = np.arange(self.num_ids)[index] if isinstance(index, slice) else index
        return Features(tuple(_rows(each, place) for each in self.groups), len(place))

    def are_known(self) -> NDArray[np.bool_]:
        """Tell of which ids there is any feature.

        Returns:
            One truth per id; that a number is missing is none.
        """
        found = np.zeros(self.num_ids, dtype=bool)
        for group in self.groups:
            # A second column says that the number is missing.
            is_number = group.kind == "numbers"
            found |= group.values[:, :1].any(axis=1) if is_number else group.is_known
        return found

    def sparse(self, word_exponent: float | None = None) -> csr_matrix:
        """Return words and categories, one group's columns behind those of the other.

        Categories of an id have norm 1 together, so that an id of many has no more say.

        Args:
            word_exponent: Bags of words have norm 1, too, of their values to this power; None for
                their values as they are.

        Returns:
            float32, ids × columns; without columns where there is no such group.
        """
        blocks = [csr_matrix((self.num_ids, 0), dtype=np.float32)]
        for group in self.groups:
            if group.kind == "categories":
                blocks.append(unit_rows(csr_matrix(group.values)))
            elif group.kind == "words":
                bags = csr_matrix(group.values, dtype=np.float32)
                blocks.append(bags if word_exponent is None else unit_rows(bags, word_exponent))
        return csr_matrix(hstack(blocks, format="csr", dtype=np.float32))

    def dense(self) -> NDArray[np.float32]:
        """Return numbers and vectors, one group's columns behind those of the other.

        Returns:
            float32, ids × columns; without columns where there is no such group.
        """
        blocks = [np.empty((self.num_ids, 0), dtype=np.float32)]
        blocks += [group.values for group in self.groups if group.kind in ("numbers", "vectors")]
        return np.hstack(blocks)

    def unit_vectors(self) -> NDArray[np.float32]:
        """Return the vectors, each of norm 1, one group's columns behind those of the other.

        Returns:
            float32, ids × columns; an id without a vector has zeros.
        """
        blocks = [np.empty((self.num_ids, 0), dtype=np.float32)]
        for group in self.groups:
            if group.kind == "vectors":
                norm = np.linalg.norm(group.values, axis=1)
                unit = diags_array(1 / np.where(norm > 0, norm, 1)) @ group.values
                blocks.append(np.asarray(unit, dtype=np.float32))
        return np.hstack(blocks)

    def has(self, *kinds: FeatureKind) -> bool:
        """Tell whether there is a group of some kinds.

        Args:
            *kinds: Which.

        Returns:
            Whether there is one.
        """
        return any(group.kind in kinds for group in self.groups)


def _rows(group: FeatureGroup, place: NDArray[np.int64]) -> FeatureGroup:
    values, is_known = group.values, place >= 0
    if is_known.all():
        return FeatureGroup(group.name, group.kind, values[place])
    # Rows of nothing stand in for those of unknown ids.
    row = np.flatnonzero(is_known)
    shape = len(place), values.shape[0]
    chosen = csr_matrix((np.ones(len(row), np.float32), (row, place[row])), shape=shape)
    found = chosen @ values
    is_sparse = isinstance(values, csr_matrix)
    return FeatureGroup(group.name, group.kind, csr_matrix(found) if is_sparse else found)


def unit_rows(bags: csr_matrix, exponent: float = 1.0) -> csr_matrix:
    """Bring each row to norm 1.

    Args:
        bags: Ids × columns, no negative values.
        exponent: Power of the values beforehand; below 1, a word that is repeated counts less.

    Returns:
        float32; empty rows stay empty.
    """
    damped = csr_matrix((bags.data**exponent, bags.indices, bags.indptr), shape=bags.shape)
    norm = np.sqrt(np.asarray(damped.multiply(damped).sum(axis=1)).ravel())
    unit = diags_array(1 / np.where(norm > 0, norm, 1.0)) @ damped
    return csr_matrix(unit, dtype=np.float32)
