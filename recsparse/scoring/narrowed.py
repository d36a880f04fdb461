"""A trained model that knows some of its users alone, so that little is moved for a request."""

from dataclasses import replace

import numpy as np

from recsparse.datasets.id_types import Ids
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory


def narrowed(trained: TrainedModel, users: Ids) -> TrainedModel:
    """Return a model that scores as before for some users and knows no others.

    Args:
        trained: The model.
        users: Ids; those that it does not know are passed over.

    Returns:
        A new model with their rows, and with the popularity of items among all users.
    """
    index = np.unique(trained.users.index_of(users))
    index = index[index >= 0]
    features, left_out = trained.user_features, trained.left_out
    return replace(
        trained,
        users=Vocabulary(trained.users.ids.take(index)),
        rows=RowsInMemory(*trained.rows.timed(index)),
        user_features=None if features is None else features.rows(index),
        all_popularity=None if left_out is not None else trained.popularity(),
        left_out=None if left_out is None else left_out.rows(index),
    )
