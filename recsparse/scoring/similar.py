"""Lists of items that are alike, for chunks of items at a time."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.metrics.top_k import top_k
from recsparse.models.content.new_items import WithNewItems, base_of
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.scoring.list_table import list_table
from recsparse.scoring.request_columns import refuse_unknown, slices

# Similarities of a chunk of items to all others are bounded so that they stay near 160 MB.
_SIMILARITIES_AT_ONCE = 40_000_000


def similar_batches(
    model: FittedModel, catalogue: Vocabulary, ids: pa.Array, k: int
) -> Iterator[pa.Table]:
    """Yield the most similar items of some items at a time, in the order of these.

    Args:
        model: The model.
        catalogue: Ids of its items.
        ids: Those of the items to find others for. New items are compared with the known ones by
            their features, and known ones with them.
        k: Length of each list.

    Returns:
        Tables with the columns of `TrainedModel.similar_items`, at least one.

    Raises:
        UnknownIdError: If an id is unknown.
        InputError: If k is below 1, or the model does not know how alike items are.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
    index = catalogue.index_of(ids)
    refuse_unknown("item_id", ids, index, "leave these out of --items")
    _with_similarities(model)
    return _tables(model, catalogue, index, k)


def _tables(
    model: FittedModel, catalogue: Vocabulary, items: NDArray[np.int64], k: int
) -> Iterator[pa.Table]:
    at_once = max(1, min(1024, _SIMILARITIES_AT_ONCE // max(len(catalogue), 1)))
    for rows in [*slices(len(items), at_once)] or [slice(0, 0)]:
        some = items[rows]
        found = _similarities(model, some)
        # What has nothing in common with an item is no similar item, however short the list.
        found = found.masked_fill(found <= 0, -torch.inf)
        found[torch.arange(len(some)), torch.from_numpy(some)] = -torch.inf
        best, values = top_k(found, k)
        names = ("item_id", "similar_item_id")
        yield list_table(catalogue.id_of(some), catalogue, best.numpy(), values.numpy(), names)


def _similarities(model: FittedModel, items: NDArray[np.int64]) -> Float[Tensor, "n all"]:
    """Return how alike items are to all others; new ones to the known ones alone, by features."""
    base, num_known = _with_similarities(model), base_of(model).num_items
    if not isinstance(model, WithNewItems):
        return base.similarities(items)
    is_new = items >= num_known
    found = torch.full((len(items), model.num_items), -torch.inf)
    known = base.similarities(items[~is_new])
    to_new = model.similar_new(known, items[~is_new])
    found[torch.from_numpy(~is_new)] = torch.cat([known, to_new], dim=1)
    of_new = model.similarities_of_new(items[is_new] - num_known)
    found[torch.from_numpy(is_new), :num_known] = of_new
    return found


def _with_similarities(model: FittedModel) -> HasSimilarItems:
    base = base_of(model)
    if not isinstance(base, HasSimilarItems):
        raise InputError(
            f"similar items need a model that knows how alike items are, but {base.kind} has no "
            "vectors, neighbours or features of items; train another kind, as item_knn or ials, or "
            "let a model of your own implement "
            "recsparse.models.protocol.similar_items.HasSimilarItems"
        )
    return base
