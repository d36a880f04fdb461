import numpy as np
import torch
from scipy.sparse import csr_matrix

from recsparse.config.event_models import TimelineConfig
from recsparse.config.linear_models import PopularityConfig, UserRidgeConfig
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.user_reader import read_of_users, scores_of
from recsparse.models.registry import build_model
from tests.item_features import mixed_features

LOG = csr_matrix(np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]], dtype=np.float32))
USERS = mixed_features(3)


def fitted(config):
    return build_model(config).fit(LOG, FitContext(user_features=USERS))


def test_a_model_that_reads_no_users_is_called_by_its_rows():
    model = fitted(PopularityConfig())
    assert torch.equal(scores_of(model, LOG, None, USERS), model.score_batch(LOG))


def test_a_model_that_reads_users_is_given_them():
    model = fitted(UserRidgeConfig(ridge=1.0))
    assert torch.equal(scores_of(model, LOG, None, USERS), model.score_users(LOG, None, USERS))
    assert torch.equal(scores_of(model, LOG), model.score_batch(LOG))
    assert not torch.equal(scores_of(model, LOG), scores_of(model, LOG, None, USERS))


def test_what_is_read_of_users_is_what_the_settings_name():
    def read(config):
        found = read_of_users(build_model(config), USERS)
        return None if found is None else [group.name for group in found.groups]

    assert read(UserRidgeConfig()) == ["words", "genres", "year", "embedding"]
    assert read(UserRidgeConfig(user_features=("year",))) == ["year"]
    assert read(TimelineConfig()) is None
    assert read(PopularityConfig()) is None
    assert read_of_users(build_model(UserRidgeConfig()), None) is None
