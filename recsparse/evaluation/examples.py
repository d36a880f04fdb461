"""Examples: what models recommend to some users, with the titles of the items."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.evaluation.ranking_result import RankingResult

Titles = Callable[[pa.Array], list[str]]
_USERS, _ITEMS, _HISTORY = 5, 10, 5


@dataclass(frozen=True)
class Example:
    """The lists of one user.

    Attributes:
        user: The user's id.
        known: Some of what was known of the user, the latest where times are known.
        num_known: How many items were known.
        wanted: Some of what the user took in the test part.
        num_wanted: How many items these were.
        lists: By model, the first items of the list, and whether each is a hit.
    """

    user: str
    known: list[str]
    num_known: int
    wanted: list[str]
    num_wanted: int
    lists: dict[str, list[tuple[str, bool]]]


def examples(
    results: Mapping[str, RankingResult], part: WholePart, titles: Titles, seed: int = 0
) -> list[Example]:
    """Return the first lists of some users, drawn at random among all.

    Args:
        results: One result a model, with lists.
        part: The users and targets that were evaluated.
        titles: Returns a title for each of some item ids.
        seed: Of the draw.

    Returns:
        Examples in the order of the users; none where a model has no lists.
    """
    if any(result.recommended is None or result.item_ids is None for result in results.values()):
        return []
    lists = np.flatnonzero(part.lists.are_first())
    number = min(_USERS, len(lists))
    drawn = np.sort(np.random.default_rng(seed).choice(lists, number, replace=False))
    return [_example(int(place), results, part, titles) for place in drawn]


def _example(
    place: int, results: Mapping[str, RankingResult], part: WholePart, titles: Titles
) -> Example:
    row = slice(place, place + 1)
    known, wanted = _latest_first(part, row), part.lists.targets[row].indices
    targets = {*part.items.id_of(wanted).to_pylist()}
    lists = {}
    for model, result in results.items():
        if result.recommended is not None and result.item_ids is not None:
            best = result.recommended[place]
            ids = result.item_ids.take(pa.array(best[best >= 0][:_ITEMS]))
            hits = [item in targets for item in ids.to_pylist()]
            lists[model] = list(zip(titles(ids), hits, strict=True))
    return Example(
        user=str(part.user_ids[int(part.lists.user[place])].as_py()),
        known=titles(part.items.id_of(known[:_HISTORY])),
        num_known=len(known),
        wanted=titles(part.items.id_of(wanted[:_ITEMS])),
        num_wanted=len(wanted),
        lists=lists,
    )


def _latest_first(part: WholePart, row: slice) -> NDArray[np.int64]:
    if part.lists.times is None:
        return part.lists.history[row].indices.astype(np.int64)
    times = part.lists.times[row]
    return times.indices[np.argsort(-times.data, kind="stable")].astype(np.int64)
