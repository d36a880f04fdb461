"""Histories that a logged model goes without: referred to where they lie, or left out."""

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors import safe_open
from scipy.sparse import csr_matrix

from recsparse.config.choices import LogHistory
from recsparse.config.toml_writer import to_toml
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, ModelFolderError, RecsparseError, reason
from recsparse.files.addresses import absolute
from recsparse.files.filesystems import fetched
from recsparse.outputs.manifest import file_sha256
from recsparse.scoring.user_rows import RowsInMemory

logger = logging.getLogger(__name__)

HISTORY = "history.safetensors"
# Checksums of its blocks; older builds had none.
BLOCKS = "history.blocks"
ELSEWHERE = "history.toml"
# What names of arrays of times begin with.
TIMES = "times"
# Bytes of a history up to which `auto` copies it into the logged model.
LARGEST_COPY = 256 * 2**20


@dataclass(frozen=True)
class LeftOut:
    """Whose rows a model goes without.

    Attributes:
        users: One truth per user of the model: their rows were left out.
        why: Why they are not at hand.
        others: Whether rows of users that the model does not know were left out, too.
    """

    users: NDArray[np.bool_]
    why: str
    others: bool = False

    def rows(self, user_index: NDArray[np.int64]) -> "LeftOut":
        """Return the same of a model that knows some of the users.

        Args:
            user_index: Users of the model.

        Returns:
            One truth for each of these.
        """
        return replace(self, users=self.users[user_index], others=True)

    def with_rows_of(
        self, before: Vocabulary, after: Vocabulary, ids: pa.Array
    ) -> "LeftOut | None":
        """Return what is still left out when rows of some users are given.

        Args:
            before: The users of the model.
            after: Those of the model with the given rows.
            ids: Whose rows were given.

        Returns:
            One truth for each user of `after`; None where nothing is.
        """
        users = np.zeros(len(after), dtype=bool)
        users[after.index_of(before.ids)] = self.users
        users[after.index_of(ids)] = False
        return replace(self, users=users) if users.any() or self.others else None

    def require(self, ids: pa.Array, user_index: NDArray[np.int64]) -> None:
        """Refuse users whose rows would be needed.

        Args:
            ids: The ids that are asked for.
            user_index: Their places in the model, -1 for a user never seen.

        Raises:
            InputError: If rows of one of them were left out.
        """
        known = np.flatnonzero(user_index >= 0)
        wanted = known[self.users[user_index[known]]]
        if len(wanted):
            raise InputError(
                f"scores need the histories of users, but this model was logged without them, and "
                f"those of {len(wanted)} of {len(ids)} users are wanted; the first is row "
                f"{wanted[0]}: {ids[int(wanted[0])].as_py()!r}; {self.cure()}"
            )

    def require_all(self, what: str) -> None:
        """Refuse what needs the rows of all users.

        Args:
            what: That which needs them.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"{what} needs the histories of users, but this model was logged without them; "
            f"{self.cure()}"
        )

    def cure(self) -> str:
        """Return what a caller may do."""
        return (
            "give the users' rows, by `history` in a request, or by --history or --dataset; "
            f"{self.why}"
        )


def in_the_place_of_history(folder: str | Path, how: LogHistory) -> dict[str, str]:
    """Say what a logged model holds in the place of the histories of its model folder.

    Args:
        folder: The model folder, or its address.
        how: `copy` them, `refer` to where they lie, leave them out (`none`), or copy those of up to
            256 MiB and refer to larger ones (`auto`).

    Returns:
        The content of `history.toml`, by that name; nothing where they are copied.
    """
    path = fetched(folder) / HISTORY
    size = path.stat().st_size
    if how == "copy" or (how == "auto" and size <= LARGEST_COPY):
        return {}
    with safe_open(path, framework="numpy") as opened:
        is_timed = any(name.startswith(TIMES) for name in opened.keys())  # noqa: SIM118
    about: dict[str, Any] = {"bytes": size, "timed": is_timed}
    return {ELSEWHERE: to_toml(about if how == "none" else about | {"address": absolute(folder)})}


def elsewhere(folder: Path, sums: Mapping[str, str]) -> Path | None:
    """Return the histories that a logged model refers to.

    Args:
        folder: The model's folder, which has `history.toml` in the place of the histories.
        sums: The SHA-256 of each file of the model as it was written.

    Returns:
        The file; None where it was left out, or is not at hand, which the log says.

    Raises:
        ModelFolderError: If `history.toml` cannot be read.
    """
    about = _described(folder)
    address = about.get("address")
    if address is None:
        return None
    try:
        found = fetched(address) / HISTORY
        if _is_same(found, about.get("bytes"), sums):
            return found
        why = "they are others by now"
    except (RecsparseError, OSError) as error:
        why = reason(error)
    logger.warning(
        "this model was logged without the histories of its users, and those at %s are not at "
        "hand: %s; users need their rows given, or the model at that address",
        address,
        why,
    )
    return None


def without_rows(folder: Path, num_users: int, num_items: int) -> tuple[RowsInMemory, LeftOut]:
    """Return histories without a row, and that they were left out.

    Args:
        folder: The model's folder, with `history.toml`.
        num_users: Users of the model.
        num_items: Its items.

    Returns:
        Rows of nobody, with times where the model uses any, and what was left out.
    """
    about = _described(folder)
    empty = csr_matrix((num_users, num_items), dtype=np.float32)
    address = about.get("address")
    why = "log it with tracking.log_history" if address is None else f"or make {address} reachable"
    times = empty.astype(np.int64) if about.get("timed") else None
    return RowsInMemory(empty, times), LeftOut(np.ones(num_users, dtype=bool), why)


def _is_same(history: Path, size: Any, sums: Mapping[str, str]) -> bool:
    if BLOCKS not in sums:
        return file_sha256(history) == sums[HISTORY]
    # Each block is checked where it is read.
    is_sized = size is None or history.stat().st_size == size
    return is_sized and file_sha256(history.with_name(BLOCKS)) == sums[BLOCKS]


def _described(folder: Path) -> dict[str, Any]:
    path = folder / ELSEWHERE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} must be readable, but {reason(error)}") from error
    if not isinstance(found.get("address", ""), str):
        raise ModelFolderError(f"{path} must name an address, but names {found['address']!r}")
    return found
