"""Histories as sequences: a user's items in the order of their times."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.grid import Grid

# The time of an event that has none.
UNKNOWN_TIME = np.iinfo(np.int64).min
# Classes of the time between two events: none before, none between, then powers of two of seconds,
# the last of all gaps of 2^31 seconds (68 years) and more.
NUM_GAPS = 34


class Events(NamedTuple):
    """Some users' events, one after the other.

    Attributes:
        items: The item of each event.
        gaps: The class of the time since the user's event before, below `NUM_GAPS`.
        grid: The events as cells of a (user, position) grid.
    """

    items: Int[Tensor, " n"]
    gaps: Int[Tensor, " n"]
    grid: Grid

    def to(self, device: torch.device) -> "Events":
        """Copy them to a device.

        Args:
            device: The device.

        Returns:
            The same events there.
        """
        return Events(self.items.to(device), self.gaps.to(device), self.grid.to(device))


@dataclass(frozen=True, eq=False)
class Sequences:
    """Items of some users, each user's in the order of time, of equal times by item.

    Attributes:
        items: int64, all sequences one after the other.
        gaps: int64, the class of the time since the event before.
        weights: float32, the weight of each event.
        row_ptr: int64, where each user's sequence begins, and the end of the last.
    """

    items: np.ndarray
    gaps: np.ndarray
    weights: np.ndarray
    row_ptr: np.ndarray

    @classmethod
    def of(
        cls, history: csr_matrix, times: csr_matrix | None, most: int | None = None
    ) -> "Sequences":
        """Order histories by time.

        Args:
            history: Users × items; cells of weight 0 are events, too.
            times: The time of each cell.
            most: Keep the last events of a user, at most this many; None keeps all.

        Returns:
            One sequence per row.

        Raises:
            InputError: If there are no times, or not one for each cell.
        """
        order = event_order(history, times)
        when = np.zeros(0) if times is None else times.data[order]
        gaps = gap_classes(when, history.indptr)
        lengths = np.diff(history.indptr)
        if most is not None:
            kept = np.minimum(lengths, most)
            before_end = np.repeat(history.indptr[1:], lengths) - np.arange(history.nnz)
            is_kept = before_end <= most
            order, gaps, lengths = order[is_kept], gaps[is_kept], kept
        row_ptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        items = history.indices[order].astype(np.int64)
        return cls(items, gaps, history.data[order].astype(np.float32), row_ptr)

    def __len__(self) -> int:
        return len(self.row_ptr) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of events of each user."""
        return np.diff(self.row_ptr)

    def take(self, rows: list[int] | np.ndarray) -> "Sequences":
        """Return the sequences of some users.

        Args:
            rows: Their numbers.

        Returns:
            The sequences, in this order.
        """
        starts, lengths = self.row_ptr[:-1][rows], self.lengths[rows]
        row_ptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        place = np.arange(row_ptr[-1]) + np.repeat(starts - row_ptr[:-1], lengths)
        return Sequences(self.items[place], self.gaps[place], self.weights[place], row_ptr)

    def without_last(self) -> "Sequences":
        """Return the sequences without the last event of each.

        Returns:
            What is known before each event but the first.
        """
        return self._where(np.arange(len(self.items)) != self._last_places())

    def without_first(self) -> "Sequences":
        """Return the sequences without the first event of each.

        Returns:
            The next event after each of `without_last`.
        """
        starts = np.repeat(self.row_ptr[:-1], self.lengths)
        return self._where(np.arange(len(self.items)) != starts)

    def grid(self) -> Grid:
        """Return the events as cells of a (user, position) grid.

        Returns:
            One sample, the cells in the order of the events.
        """
        lengths = self.lengths
        user = np.repeat(np.arange(len(self)), lengths)
        position = np.arange(len(self.items)) - np.repeat(self.row_ptr[:-1], lengths)
        coords = torch.from_numpy(np.stack([np.zeros_like(user), user, position], axis=1))
        return Grid(coords, (len(self), max(int(lengths.max(initial=0)), 1)), 1)

    def events(self) -> Events:
        """Return what a network reads.

        Returns:
            All events, in their order.
        """
        return Events(torch.from_numpy(self.items), torch.from_numpy(self.gaps), self.grid())

    def _last_places(self) -> np.ndarray:
        return np.repeat(self.row_ptr[1:] - 1, self.lengths)

    def _where(self, mask: np.ndarray) -> "Sequences":
        row_ptr = np.concatenate([[0], np.cumsum(mask)])[self.row_ptr]
        return Sequences(self.items[mask], self.gaps[mask], self.weights[mask], row_ptr)


def event_order(history: csr_matrix, times: csr_matrix | None) -> np.ndarray:
    """Return the order of the cells: by user, then time, then item.

    Args:
        history: Users × items.
        times: The time of each cell, a matrix with the same cells in the same order.

    Returns:
        int64, places among the stored cells.

    Raises:
        InputError: If there are no times, or not one for each cell.
    """
    if times is None and history.nnz:
        raise InputError(
            "a model of time needs the time of each interaction, but the history has none; prepare "
            "a log with log.timestamp_column, or choose another model.kind"
        )
    when = history if times is None else times
    if when.shape != history.shape or when.nnz != history.nnz:
        raise InputError(
            f"times must have the cells of the history, but has {when.nnz} in {when.shape} and the "
            f"history {history.nnz} in {history.shape}"
        )
    row = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    order: np.ndarray = np.lexsort([history.indices, when.data, row])
    return order


def gap_classes(when: np.ndarray, row_ptr: np.ndarray) -> np.ndarray:
    """Sort the time between each event and the one before into classes.

    Args:
        when: The time of each event in seconds, each user's in order.
        row_ptr: Where each user's events begin, and the end of the last.

    Returns:
        int64, below `NUM_GAPS`: 0 for a user's first event, 1 for the same time as the event
        before, then 2 + log₂ of the seconds, rounded down.
    """
    # As floats, since times that are unknown lie before all that integers can subtract.
    gaps = np.diff(when.astype(np.float64), prepend=0)
    classes = np.where(gaps > 0, 2 + np.floor(np.log2(np.maximum(gaps, 1))), 1)
    classes[row_ptr[:-1][np.diff(row_ptr) > 0]] = 0
    return classes.clip(max=NUM_GAPS - 1).astype(np.int64)


def times_of_cells(cells: csr_matrix, times: csr_matrix | None) -> csr_matrix | None:
    """Leave those times that belong to a cell, since cells of weight zero teach nothing.

    Args:
        cells: What is learned from, its cells sorted.
        times: The times of these cells, and perhaps of others.

    Returns:
        The times of the cells, sorted; None where there are none.
    """
    if times is None:
        return None
    times = times.sorted_indices()
    if times.nnz == cells.nnz:
        return times
    known = csr_matrix((np.ones(cells.nnz), cells.indices, cells.indptr), shape=cells.shape)
    place = csr_matrix((np.arange(1, times.nnz + 1), times.indices, times.indptr), times.shape)
    found = known.multiply(place).tocsr().sorted_indices()
    kept = times.data[found.data.astype(np.int64) - 1]
    return csr_matrix((kept, found.indices, found.indptr), shape=times.shape)
