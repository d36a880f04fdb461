"""ComparedPart: what of a validation or test part models are compared on, and with which items."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from recsparse.config.evaluation import EvaluationConfig
from recsparse.config.metric_names import length_of
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.part_counts import PartCounts, part_counts
from recsparse.datasets.evaluated.whole_part import WholePart, whole_part
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.stages.compared_items import ComparedItems

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ComparedPart:
    """What models are compared on.

    Attributes:
        part: The users and targets that count.
        counts: How much of the whole part they are.
        items: Which items are ranked.
    """

    part: WholePart
    counts: PartCounts
    items: ComparedItems

    def result(
        self, ranked: RankingResult, items: Vocabulary, listed: Vocabulary | None = None
    ) -> RankingResult:
        """Add to a model's metrics what they are of.

        Args:
            ranked: The metrics.
            items: What the model can rank.
            listed: The items by whose indices its lists are; None where they are these.

        Returns:
            The metrics with the catalogue, the counts, and whose they are.
        """
        unknown_items, unknown_rows = self.part.of_items(items.index_of(self.part.items.ids) < 0)
        return replace(
            ranked,
            catalogue=self.items.catalogue,
            is_new=self.part.is_new,
            part=self.counts,
            unknown_items=unknown_items,
            rows_of_unknown_items=unknown_rows,
            user_ids=self.part.user_ids,
            history_lengths=self.part.history_lengths,
            list_user=self.part.lists.user,
            item_ids=(items if listed is None else listed).ids,
        )


def part_to_compare(
    data: Dataset,
    name: str,
    options: EvaluationConfig,
    models: Sequence[Vocabulary],
    one_list: bool = False,
    users: pa.Array | None = None,
) -> ComparedPart:
    """Return a part of a dataset for models of any catalogue, and how much of it is evaluated.

    Args:
        data: The dataset.
        name: `validation` or `test`.
        options: Which items and users count.
        models: The items of each model.
        one_list: Whether each user has one list, made from what was done before the part.
        users: Ids of the users that count, of those that the options leave; None for all.

    Returns:
        At least one user with at least one target.

    Raises:
        InputError: If nothing is left of the part.
    """
    whole = whole_part(data, name)
    items = ComparedItems.of_part(options.catalogue, whole, models)
    if one_list:
        whole = whole.first_lists()
    part = whole.of_users(options.include_users).of_targets(items.chosen(whole.items))
    if users is not None:
        part = part.of_chosen(Vocabulary(users).index_of(part.user_ids) >= 0)
    counts = part_counts(whole, part)
    if len(part.user_ids) == 0:
        raise InputError(
            f"the {name} part must have rows of --include-users {options.include_users} and "
            f"--catalogue {items.catalogue}, but has none: of its {counts.rows} rows, "
            f"{counts.rows_of_unseen_users} are of users without training rows and "
            f"{counts.rows_of_unseen_items} of items without; choose others, or prepare the log "
            "with another split"
        )
    if items.catalogue == "new" and not _any_known(items.new, models):
        raise InputError(
            f"of --catalogue new, at least one item must be known to a model, but none of the "
            f"{counts.unseen_items} items of the {name} part without training rows is; rank them "
            "by a model that reads features of items, such as text_tower, or by scores of another "
            "system and evaluate-file"
        )
    _warn_of_long_lists(options, int(items.chosen(whole.items).sum()))
    return ComparedPart(part, counts, items)


def _warn_of_long_lists(options: EvaluationConfig, num_items: int) -> None:
    lengths = [length for length in map(length_of, options.metrics) if length is not None]
    longest = max(lengths, default=0)
    if longest > num_items:
        logger.warning(
            "lists of %d, as evaluation.metrics asks for, are longer than the %d items that may be "
            "ranked; their last places stay empty",
            longest,
            num_items,
        )


def _any_known(items: Vocabulary, models: Sequence[Vocabulary]) -> bool:
    return any(bool(np.any(model.index_of(items.ids) >= 0)) for model in models)
