"""New items get their place: what a fitted model makes of items that were held out of training."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.features.groups import groups_of
from recsparse.datasets.fit_rows import FitRows
from recsparse.models.blend.placement_search import Found, find_placement
from recsparse.models.content.new_items import WithNewItems, can_rank_new, features_of_readers
from recsparse.models.content.placement import Placement
from recsparse.models.protocol.cold_scorer import ColdScorer
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.recommender import Recommender
from recsparse.stages.new_item_evidence import Evidences

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class NewItems:
    """The items of a dataset that have no training row, as a model ranks them.

    Attributes:
        index: int64, which of the dataset's items they are.
        features: Theirs, those that the model reads to rank them.
        placement: Where they stand among the known items.
        without: Items without a training row of which the model knows no feature.
        figures: What validation says of the placement; see `find_placement`.
    """

    index: NDArray[np.int64]
    features: Features
    placement: Placement
    without: int
    figures: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """Return what a model folder says of them.

        Returns:
            How many there are, by what they are ranked, and what validation says.
        """
        return {
            "items": len(self.index),
            "without_features": self.without,
            "features": [group.name for group in self.features.groups],
            "shift": self.placement.shift,
            "slope": self.placement.slope,
            "validation": self.figures,
        }

    def added_to(self, model: FittedModel) -> FittedModel:
        """Return a model that ranks these items, too.

        Args:
            model: The fitted model.

        Returns:
            The model with its new items.
        """
        return WithNewItems(model, self.features, self.placement)


def new_items_of(
    data: Dataset, rows: FitRows, model: Recommender, config: Config, context: FitContext
) -> NewItems | None:
    """Find out which new items a model can rank, and where they stand among the known ones.

    Args:
        data: The dataset.
        rows: What the model was fitted on.
        model: The fitted model; the parts that read features are weighed for new items.
        config: Section `new_items`, and what validation chooses by.
        context: What the model was fitted with.

    Returns:
        The new items, of which there may be none yet; None where the model ranks no new ones.
    """
    known = context.item_features
    if not config.new_items.rank or known is None or not can_rank_new(model):
        _drop_readers(model)
        return None
    with context.reporter.task("finding the place of new items"):
        index, features, without = _described(data, model)
        evidences = Evidences(data, rows, model, config, context)
        evidence = evidences.of_validation(index, features) or evidences.of_held_out(features)
        found = find_placement(evidence, config.evaluation.select_by, config.new_items.most_lost)
    model.weigh_readers(found.weights)
    _tell(found, len(index), without)
    # A part that counts nothing is gone by now, and so is what it alone reads.
    features = features_of_readers(model, features)
    return NewItems(index, features, found.placement, without, found.figures)


def _described(data: Dataset, model: ColdScorer) -> tuple[NDArray[np.int64], Features, int]:
    """Return the items without a training row that have a feature that the model reads."""
    num_known = len(data.items)
    unseen = np.arange(num_known, num_known + len(data.unseen_items), dtype=np.int64)
    features = Features.of(groups_of(data.item_side, data.item_reviews, unseen))
    features = features_of_readers(model, features)
    described = features.are_known()
    return unseen[described], features.rows(np.flatnonzero(described)), int((~described).sum())


def _drop_readers(model: Recommender) -> None:
    # Parts of a blend that count nothing on known items were kept for new ones alone.
    if can_rank_new(model):
        model.weigh_readers([0.0] * len(model.readers()))


def _tell(found: Found, num_items: int, without: int) -> None:
    figures = found.figures
    logger.info(
        "new items: %d are ranked by their features, %d have none that is read; placement %s, "
        "weights of the readers %s; of %d users of validation: %s",
        num_items, without, found.placement, found.weights, figures["users"], figures,
    )  # fmt: skip
