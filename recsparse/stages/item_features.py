"""What a dataset knows of its items, as models take it."""

from recsparse.datasets.dataset import Dataset
from recsparse.models.protocol.features import Features


def item_features(data: Dataset) -> Features | None:
    """Return the features of the items of the catalogue.

    Args:
        data: The dataset.

    Returns:
        All groups; None where there are none.
    """
    groups = data.item_features
    return Features.of(groups) if groups else None
