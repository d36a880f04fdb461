"""Reasons: the items of a user's history that brought a recommended item its score."""

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.models.content.new_items import base_of
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.reasons import HasReasons, contributions_of, no_reasons
from recsparse.scoring.request_columns import slices

# How many items of the history are named for each recommended one.
MOST_REASONS = 3
# Pairs of an event and a listed item that are looked at together, which takes several copies.
_PAIRS_AT_ONCE = 5_000_000


def with_reasons(
    lists: pa.Table,
    best: NDArray[np.int64],
    items: Vocabulary,
    model: FittedModel,
    history: csr_matrix,
    times: csr_matrix | None,
    users: Features | None = None,
) -> pa.Table:
    """Return lists with the reasons for each item.

    Args:
        lists: What `list_table` made of `best`.
        best: Users × length: places of items in the catalogue, −1 where a list is shorter.
        items: The catalogue.
        model: The model.
        history: One row of interactions per user.
        times: Their times, for models that use them.
        users: Features of the users, where scores were made with them.

    Returns:
        The lists with columns `because_1` to `because_3` (ids; null where there are fewer),
        `share_1` to `share_3` (of all positive contributions of the history) and `explained`.

    Raises:
        InputError: If the model's scores are no sums over the history.
    """
    if not (isinstance(model, HasReasons) and isinstance(base_of(model), HasReasons)):
        raise InputError(no_reasons(model))
    longest = int(np.diff(history.indptr).max(initial=1))
    at_once = max(1, _PAIRS_AT_ONCE // max(1, longest * best.shape[1]))
    listed = torch.from_numpy(best)
    found = [
        _reasons(
            model,
            history[rows],
            None if times is None else times[rows],
            listed[rows],
            None if users is None else users.rows(np.arange(rows.start, rows.stop)),
        )
        for rows in [*slices(len(best), at_once)] or [slice(0, 0)]
    ]
    because, shares, explained = (torch.cat(each).numpy() for each in zip(*found, strict=True))
    row, place = np.nonzero(best >= 0)
    for number in range(MOST_REASONS):
        item, share = because[row, place, number], shares[row, place, number]
        ids = items.ids.take(pa.array(item, mask=item < 0))
        lists = lists.append_column(f"because_{number + 1}", ids)
        share = pa.array(share, pa.float32(), mask=item < 0)
        lists = lists.append_column(f"share_{number + 1}", share)
    return lists.append_column("explained", pa.array(explained[row, place], pa.float32()))


def _reasons(
    model: HasReasons,
    history: csr_matrix,
    times: csr_matrix | None,
    listed: Int[Tensor, "b k"],
    users: Features | None,
) -> tuple[Int[Tensor, "b k 3"], Float[Tensor, "b k 3"], Float[Tensor, "b k"]]:
    """Return the items of the largest contributions, their shares, and what is explained."""
    found = contributions_of(model, history, times, listed.clamp(min=0), users)
    shape = (*listed.shape, MOST_REASONS)
    because, shares = torch.full(shape, -1), torch.zeros(shape)
    for row, (start, end) in enumerate(zip(history.indptr[:-1], history.indptr[1:], strict=True)):
        positive = found.cells[start:end].clamp(min=0)
        # Of equal contributions, the item that comes first in the catalogue.
        values, order = positive.sort(dim=0, descending=True, stable=True)
        values, order = values[:MOST_REASONS].T, order[:MOST_REASONS].T
        seen = torch.from_numpy(history.indices[start:end].astype(np.int64))
        named = (values > 0) & (listed[row] >= 0).unsqueeze(1)
        total = positive.sum(dim=0).clamp(min=1e-30).unsqueeze(1)
        because[row, :, : values.shape[1]] = torch.where(named, seen[order], -1)
        shares[row, :, : values.shape[1]] = torch.where(named, values / total, 0.0)
    explained = torch.where((because >= 0).any(dim=2), found.explained, 0.0)
    return because, shares, explained
