"""What a dataset knows of its users, as models take it."""

import pyarrow as pa

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.features.groups import groups_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.models.protocol.features import Features


def user_features(data: Dataset, ids: pa.Array) -> Features | None:
    """Return the features of some users, with training rows or without.

    Args:
        data: The dataset.
        ids: Whose; of users that the dataset does not know, nothing is known.

    Returns:
        All groups, a row per id; None where there are none.
    """
    every = Vocabulary(pa.concat_arrays([data.users.ids, data.unseen_users.ids]))
    groups = groups_of(data.user_side, data.user_reviews, slice(None))
    return Features.of(groups).rows(every.index_of(ids)) if groups else None
