import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.models.content.feature_encoder import FeatureEncoder
from tests.item_features import mixed_features, word_features

CHOICES = ["all", ["words"], ["genres", "words"], ["year"], ["embedding"], ["year", "genres"]]


def random_encoder(features, channels=3):
    encoder = FeatureEncoder.of(features, channels)
    torch.manual_seed(0)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter)
    return encoder


@pytest.mark.parametrize("names", CHOICES, ids=str)
def test_features_are_encoded_as_one_dense_matrix_would_be(names):
    features = mixed_features(7).chosen(names)
    encoder = random_encoder(features)
    dense = np.hstack([features.sparse().toarray(), features.dense()])
    weights = [] if encoder.encoder is None else [encoder.encoder.weight]
    weights += [] if encoder.linear is None else [encoder.linear.weight.T]
    expected = torch.from_numpy(dense) @ torch.cat(weights)
    torch.testing.assert_close(encoder(), expected)
    assert not encoder()[3].any()


def test_an_untrained_encoder_adds_nothing():
    assert not FeatureEncoder.of(mixed_features(5), 4)().any()


@pytest.mark.parametrize("names", CHOICES, ids=str)
def test_features_survive_in_the_state_of_a_network(names):
    encoder = random_encoder(mixed_features(6).chosen(names))
    state = {f"words.{name}": value for name, value in encoder.state_dict().items()}
    again = FeatureEncoder.stored(state, 6, 3)
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(again(), encoder())
    assert FeatureEncoder.stored({}, 6, 3) is None
    with pytest.raises(InputError, match="must be words of 5 items, but they are of 6"):
        FeatureEncoder.stored(state, 5, 3)


def test_vectors_of_other_items_are_refused():
    encoder = random_encoder(mixed_features(6))
    state = {f"words.{name}": value for name, value in encoder.state_dict().items()}
    state["words.dense"] = state["words.dense"][:5]
    with pytest.raises(InputError, match=r"'words\.dense' must be of 6 × any"):
        FeatureEncoder.stored(state, 6, 3)


def test_columns_outside_are_refused():
    state = {
        "words.shape": torch.tensor([2, 1]),
        "words.coords": torch.tensor([[0, 2]]),
        "words.feats": torch.ones(1, 1),
    }
    with pytest.raises(InputError, match="coord"):
        FeatureEncoder.stored(state, 1, 3)


def test_one_item_without_words_has_the_vector_zero():
    encoder = random_encoder(word_features(csr_matrix((1, 3))))
    assert encoder().tolist() == [[0, 0, 0]]
