"""Reasons: fitted models whose scores are sums over the history, and what each event adds."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel


@dataclass(frozen=True, eq=False)
class Contributions:
    """What the scores of some listed items are the sum of, k items per user.

    Attributes:
        cells: What each cell of the histories, row by row as it is stored, adds to the scores of
            its user's items.
        rest: What no cell adds. A score is the sum over the cells of its user, plus this.
        explained: The fraction of the score that cells can account for, from 0 to 1: below 1 in a
            blend with parts whose scores are no sums.
    """

    cells: Float[Tensor, "n_cells k"]
    rest: Float[Tensor, "b k"]
    explained: Float[Tensor, "b k"]

    @classmethod
    def whole(
        cls, cells: Float[Tensor, "n_cells k"], rest: Float[Tensor, "b k"]
    ) -> "Contributions":
        """Return those of scores that are sums over the cells, and a constant per item.

        Args:
            cells: What each cell adds.
            rest: The constants.

        Returns:
            The contributions, of which all is explained.
        """
        return cls(cells, rest, torch.ones_like(rest))

    @classmethod
    def unexplained(cls, scores: Float[Tensor, "b k"], num_cells: int) -> "Contributions":
        """Return those of scores that are no sums over the cells.

        Args:
            scores: Of the listed items.
            num_cells: Of the histories.

        Returns:
            The contributions: nothing of a cell, all in the rest.
        """
        cells = scores.new_zeros(num_cells, scores.shape[1])
        return cls(cells, scores, torch.zeros_like(scores))

    def totals(self, history: csr_matrix) -> Float[Tensor, "b k"]:
        """Add all up.

        Args:
            history: The histories with the cells.

        Returns:
            The scores.
        """
        return self.rest.index_add(0, rows_of_cells(history), self.cells)

    def on_line(
        self, history: csr_matrix, start: Float[Tensor, "b #k"], slope: Float[Tensor, "b #k"]
    ) -> "Contributions":
        """Return what `start + slope · score` is the sum of.

        Args:
            history: The histories with the cells.
            start: One number per user, or per listed item.
            slope: Likewise.

        Returns:
            The contributions, of which as much is explained.
        """
        cells = slope[rows_of_cells(history)] * self.cells
        return Contributions(cells, start + slope * self.rest, self.explained)


def blended(parts: Sequence[tuple[Contributions, float]], history: csr_matrix) -> Contributions:
    """Add up what several models say, each with its weight.

    Args:
        parts: Contributions to the scores of each model, in one unit, and what these count; at
            least one.
        history: The histories with the cells.

    Returns:
        What the weighted sum of the scores is the sum of. Explained is the fraction that is
        explained in what the models add, in absolute size.
    """
    cells, rest, explained, size = (
        torch.zeros_like(each) for each in (parts[0][0].cells, *[parts[0][0].rest] * 3)
    )
    for own, weight in parts:
        cells.add_(own.cells, alpha=weight)
        rest.add_(own.rest, alpha=weight)
        added = weight * own.totals(history).abs()
        explained += added * own.explained
        size += added
    return Contributions(cells, rest, explained / size.clamp(min=1e-30))


class HasReasons(ABC):
    """A fitted model that can say which events of a history brought an item its score."""

    @abstractmethod
    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """Say what each event adds to the scores of some items.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            listed: The items to explain, of each user as many.

        Returns:
            What the scores of `score_batch` are the sum of, float32, on the CPU.
        """


class HasReasonsForUsers(HasReasons):
    """A model that gives reasons, and whose scores may depend on features of the users, too."""

    @abstractmethod
    def contributions_for_users(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        users: Features | None,
    ) -> Contributions:
        """Say what each event adds to the scores of some items.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            listed: The items to explain, of each user as many.
            users: Features of these users; None where none are known.

        Returns:
            What the scores of `scores_of` are the sum of.
        """

    def contributions(
        self, history: csr_matrix, times: csr_matrix | None, listed: Int[Tensor, "b k"]
    ) -> Contributions:
        """Say what each event adds to the scores of users of whom nothing else is known.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            listed: The items to explain, of each user as many.

        Returns:
            What the scores of `score_batch` are the sum of.
        """
        return self.contributions_for_users(history, times, listed, None)


def contributions_of(
    model: HasReasons,
    history: csr_matrix,
    times: csr_matrix | None,
    listed: Int[Tensor, "b k"],
    users: Features | None = None,
) -> Contributions:
    """Say what each event adds to scores that are made by rows and, where read, by features.

    Args:
        model: The model.
        history: One row of interactions per user.
        times: The time of each interaction; None where times are not known.
        listed: The items to explain, of each user as many.
        users: Features of these users; None where none are known.

    Returns:
        What the scores of `scores_of` are the sum of.
    """
    if isinstance(model, HasReasonsForUsers):
        return model.contributions_for_users(history, times, listed, users)
    return model.contributions(history, times, listed)


def no_reasons(model: FittedModel) -> str:
    """Return the error of a model whose scores are no sums.

    Args:
        model: A fitted model.

    Returns:
        What must hold, what was found and the cure.
    """
    return (
        f"reasons need a model whose scores are sums over the history, but those of {model.kind} "
        "are not; explain a blend that it is part of, train another kind, as ease or ials, or let "
        "a model of your own implement recsparse.models.protocol.reasons.HasReasons"
    )


def rows_of_cells(history: csr_matrix) -> Int[Tensor, " n_cells"]:
    """Return the row of each stored cell.

    Args:
        history: Any matrix.

    Returns:
        One index per cell.
    """
    lengths = torch.from_numpy(np.diff(history.indptr).astype(np.int64))
    return torch.repeat_interleave(lengths)


def listed_pairs(
    history: csr_matrix, listed: Int[Tensor, "b k"]
) -> tuple[Int[Tensor, "n_cells k"], Int[Tensor, "n_cells k"]]:
    """Return which items meet: those of the cells, and those listed for the cells' users.

    Args:
        history: One row per user.
        listed: Items of each user.

    Returns:
        Item indices.
    """
    second = listed[rows_of_cells(history)]
    first = torch.from_numpy(history.indices.astype(np.int64)).unsqueeze(1).expand_as(second)
    return first, second


def listed_weights(
    weights: csr_matrix, history: csr_matrix, listed: Int[Tensor, "b k"]
) -> Float[Tensor, "n_cells k"]:
    """Look up what each cell adds under a sparse matrix from items to items.

    Args:
        weights: Items × items.
        history: One row per user.
        listed: Items of each user.

    Returns:
        The weight from the cell's item to the listed one, times the weight of the cell.
    """
    first, second = (each.numpy() for each in listed_pairs(history, listed))
    if not first.size:  # of no pairs SciPy makes something else than an array
        return torch.zeros(first.shape)
    between = np.asarray(weights[first.ravel(), second.ravel()]).reshape(first.shape)
    return torch.from_numpy(history.data[:, None] * between)


def listed_products(
    first: Float[Tensor, "m d"],
    second: Float[Tensor, "n d"],
    history: csr_matrix,
    listed: Int[Tensor, "b k"],
) -> Float[Tensor, "n_cells k"]:
    """Multiply the vectors of the items of each history by those listed for its user.

    Args:
        first: A vector of each item that may be in a history.
        second: A vector of each item that may be listed.
        history: One row per user.
        listed: Items of each user.

    Returns:
        One row per cell.
    """
    items = torch.from_numpy(history.indices.astype(np.int64))
    # User by user, since the vectors of all pairs would not fit.
    found = [first.new_zeros(0, listed.shape[1])]
    for row, (start, end) in enumerate(zip(history.indptr[:-1], history.indptr[1:], strict=True)):
        found.append(first[items[start:end]] @ second[listed[row]].T)
    return torch.cat(found)
