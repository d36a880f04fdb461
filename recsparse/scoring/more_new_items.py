"""Items that came after a training: a model ranks them by their features, without another one."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.models.content.new_items import (
    WithNewItems,
    base_of,
    can_rank_new,
    no_reader,
)
from recsparse.models.protocol.features import FeatureGroup, Features, Values
from recsparse.scoring.trained import TrainedModel

if TYPE_CHECKING:
    from recsparse.datasets.features.groups import Group
    from recsparse.datasets.frames import Tables


@dataclass(frozen=True)
class NewItemsCount:
    """What became of the items of a table.

    Attributes:
        ranked: How many are ranked by their features.
        known: How many were left out because the model knows them by rows of the log.
        last: How many are ranked last because they have no feature that the model reads.
        features: What they are ranked by.
    """

    ranked: int
    known: int
    last: int
    features: tuple[str, ...]

    def __str__(self) -> str:
        """Say what became of them."""
        told = [f"{self.ranked:,} ranked by their {', '.join(self.features)}"]
        told += [f"{self.known:,} left out, known by rows of the log"] if self.known else []
        told += [f"{self.last:,} ranked last, without such features"] if self.last else []
        if self.last and not self.ranked:
            told.append("are the columns of the table those that the dataset was prepared with?")
        return "; ".join(told)


def with_table_of_items(
    trained: TrainedModel, table: "Tables"
) -> tuple[TrainedModel, NewItemsCount]:
    """Return a model that ranks the items of a table, too.

    Args:
        trained: The model.
        table: Of items, with the columns of that of the model's dataset: a frame, a file, a folder,
            a glob, an address, or a list of these. Features of an item that the model ranks as a
            new one already take the place of those that it had.

    Returns:
        A new model, and what became of the items.

    Raises:
        SchemaError: If a column is missing or of a wrong type.
        InputError: If the model ranks no new items, or an id is null or there twice.
    """
    model = trained.model
    if not isinstance(model, WithNewItems) or trained.item_table is None:
        raise InputError(_why_not(trained))
    ids, groups = trained.item_table.fitted().read(table)
    features = _like(model.new_items, groups, len(ids))
    index = trained.items.index_of(ids)
    is_known = (index >= 0) & (index < base_of(model).num_items)
    wanted = np.flatnonzero(~is_known)
    ranked = int(features.are_known()[wanted].sum())
    names = tuple(group.name for group in features.groups)
    count = NewItemsCount(ranked, int(is_known.sum()), len(wanted) - ranked, names)
    return _with(trained, model, ids.take(pa.array(wanted)), features.rows(wanted)), count


def _why_not(trained: TrainedModel) -> str:
    base = base_of(trained.model)
    if not can_rank_new(base):
        return no_reader(base)
    return (
        "new items are ranked by a model that was trained with new_items.rank on a dataset with a "
        "table of items, but this one was not, or by an older build; prepare the log with --items "
        "and train it again"
    )


def _like(known: Features, groups: "list[Group]", num_ids: int) -> Features:
    # In the order of the model, of which groups alone matter that rank new items.
    by_name = {group.name: group for group in groups}
    chosen = []
    for group in known.groups:
        found = by_name[group.name]
        if found.values.shape[1] != group.values.shape[1]:
            raise InputError(
                f"the feature {group.name!r} must have {group.values.shape[1]} columns, as at the "
                f"training, but has {found.values.shape[1]}; make the model folder anew"
            )
        chosen.append(FeatureGroup(group.name, group.kind, found.values))
    return Features(tuple(chosen), num_ids)


def _with(
    trained: TrainedModel, model: WithNewItems, ids: pa.Array, features: Features
) -> TrainedModel:
    """Lay new items over those that there are: of the same ids the newer ones count."""
    num_known, old = base_of(model).num_items, model.new_items
    place = trained.items.index_of(ids) - num_known
    added = np.flatnonzero(place < 0)
    place[added] = old.num_ids + np.arange(len(added))
    size = old.num_ids + len(added)
    groups = tuple(
        FeatureGroup(group.name, group.kind, _laid_over(group.values, found.values, place, size))
        for group, found in zip(old.groups, features.groups, strict=True)
    )
    items = pa.concat_arrays([trained.items.ids, ids.take(pa.array(added))])
    return replace(
        trained,
        model=WithNewItems(base_of(model), Features(groups, size), model.placement),
        items=Vocabulary(items),
        rows=trained.rows.with_items(len(items)),
    )


def _laid_over(old: Values, new: Values, place: NDArray[np.int64], size: int) -> Values:
    row = np.full(size, -1)
    row[: old.shape[0]] = np.arange(old.shape[0])
    row[place] = old.shape[0] + np.arange(len(place))
    if isinstance(old, csr_matrix):
        return csr_matrix(vstack([old, new], format="csr")[row])
    return np.vstack([old, new])[row]
