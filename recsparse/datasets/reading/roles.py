"""Roles: what columns are for, where files do not say of which type they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class Roles:
    """What is known of columns before their files are opened.

    Files of text and the keys of partitions have no types. A column with a role is read in the
    type that its role gives there, whatever its digits look like; every other key is text.

    Attributes:
        ids: Columns of ids, and int64 or string where their type is settled; None finds it out.
        other_ids: For ids whose type is found out: the type of other ids, to which these are
            to fit.
        times: Columns of times.
        numbers: Columns of numbers.
        texts: Columns of text.
        keys_are_numbers: Keys without a role are integers.
    """

    ids: Mapping[str, pa.DataType | None] = field(default_factory=dict)
    other_ids: Mapping[str, pa.DataType] = field(default_factory=dict)
    times: Sequence[str] = ()
    numbers: Sequence[str] = ()
    texts: Sequence[str] = ()
    keys_are_numbers: bool = False

    @property
    def names(self) -> set[str]:
        """Every column with a role."""
        return {*self.ids, *self.times, *self.numbers, *self.texts}


NO_ROLES = Roles()
