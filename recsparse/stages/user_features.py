"""What a dataset knows of its users, as models take it."""

import numpy as np
import pyarrow as pa

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.features.groups import groups_of
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.user_reader import read_of_users
from recsparse.scoring.trained import TrainedModel


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


def known_users(
    data: Dataset, fitted: Vocabulary, model: FittedModel
) -> tuple[Vocabulary, Features | None]:
    """Return whom a model knows: users with rows, and those whom it knows by features alone.

    Args:
        data: The dataset.
        fitted: Users that the model was fitted on.
        model: The fitted model.

    Returns:
        These users, then all others of the dataset with a feature that the model reads; and the
        features of all of them, None where the model reads none.
    """
    every = pa.concat_arrays([data.users.ids, data.unseen_users.ids])
    others = every.filter(pa.array(fitted.index_of(every) < 0))
    of_others = read_of_users(model, user_features(data, others))
    if of_others is None:
        return fitted, None
    described = others.filter(pa.array(of_others.are_known()))
    ids = pa.concat_arrays([fitted.ids, described])
    return Vocabulary(ids), read_of_users(model, user_features(data, ids))


def features_in(trained: TrainedModel, ids: pa.Array) -> Features | None:
    """Return what a trained model knows of users besides rows.

    Args:
        trained: The model.
        ids: Ids of users, perhaps of another dataset.

    Returns:
        Features, none of a user that it does not know; None where it reads none.
    """
    if trained.user_features is None:
        return None
    is_alike = ids.type == trained.users.ids.type
    return trained.user_features.rows(
        trained.users.index_of(ids) if is_alike else np.full(len(ids), -1)
    )
