"""What a dataset knows of the items of a model, for metrics that go beyond targets."""

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix, hstack

from recsparse.config.config import Config
from recsparse.config.metric_names import BY_CATEGORIES, BY_FEATURES, BY_POPULARITY, spelled_out
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.features.groups import groups_of
from recsparse.datasets.matrices import item_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.metrics.list_context import ListContext
from recsparse.metrics.sampled_negatives import SampledNegatives
from recsparse.models.protocol.features import Features

logger = logging.getLogger(__name__)

# Words that are repeated count less, as where models compare items by their text.
_WORD_EXPONENT = 0.5


def list_context(data: Dataset, items: Vocabulary, metrics: Sequence[str]) -> ListContext:
    """Return what some metrics may know of the items of a model.

    Args:
        data: The dataset: its training rows and features of its items.
        items: Ids of the model's items, in its own order.
        metrics: As in `ild@10`; what none of them reads is left out.

    Returns:
        Training rows of each item, of an item that the dataset does not know none; its words,
        categories and vectors, in which numbers have no part; and its categories.
    """
    names = {each.partition("@")[0] for metric in metrics for each in spelled_out(metric)}
    every = Vocabulary(pa.concat_arrays([data.items.ids, data.unseen_items.ids]))
    place = every.index_of(items.ids)
    rows = None
    if names & {*BY_POPULARITY}:
        counts = np.bincount(item_of(data.split.train), minlength=len(every) + 1)
        rows = counts[place].astype(np.float64)  # the last one is of no item
    wanted = names & {*BY_FEATURES, *BY_CATEGORIES}
    groups = groups_of(data.item_side, data.item_reviews, slice(None)) if wanted else []
    if not groups:
        return ListContext(rows)
    features = Features.of(groups).rows(place)
    return ListContext(rows, _vectors(features), _categories(features))


def require_context(data: Dataset, metrics: Sequence[str]) -> None:
    """Refuse metrics for which a dataset knows too little, before anything is fitted or ranked.

    Args:
        data: The dataset.
        metrics: As in `ild@10`; `beyond@10` leaves such metrics out by itself.

    Raises:
        InputError: If there is one; the error says what it needs.
    """
    context = list_context(data, Vocabulary(data.items.ids[:0]), metrics)
    for metric in metrics:
        context.require(metric)


def sampled_negatives(config: Config) -> SampledNegatives | None:
    """Return which items targets are ranked among, and say what that does to the figures.

    Args:
        config: Section `evaluation`, and the seed.

    Returns:
        None for the whole catalogue.
    """
    number = config.evaluation.sampled_negatives
    if number is None:
        return None
    sampled = SampledNegatives(number, config.seed)
    logger.warning("evaluation.sampled_negatives ranks %s", sampled.bias)
    return sampled


def _vectors(features: Features) -> csr_matrix | None:
    if not features.has("words", "categories", "vectors"):
        return None
    blocks = [features.sparse(_WORD_EXPONENT), csr_matrix(features.unit_vectors())]
    return csr_matrix(hstack(blocks, format="csr"))


def _categories(features: Features) -> csr_matrix | None:
    blocks = [csr_matrix(each.values) for each in features.groups if each.kind == "categories"]
    return csr_matrix(hstack(blocks, format="csr")) if blocks else None
