import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.event_models import SASRecConfig, TimelineConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.event_networks.timeline import TimelineNetwork
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model
from tests.item_features import word_features
from tests.models.event_logs import matrices_of

TRAINING = TrainingConfig(epochs=25, batch_users=32, learning_rate=1e-2, device="cpu")
SIZES = {"channels": 16, "blocks": 1, "dropout": 0.0, "features": "all", "training": TRAINING}
CONFIGS = [TimelineConfig(**SIZES), SASRecConfig(**SIZES)]
# Each item has one of five words, which follow each other in a circle.
NUM_ITEMS, NUM_WORDS = 100, 5
WORD_OF = np.arange(NUM_ITEMS) % NUM_WORDS
BAGS = csr_matrix((np.ones(NUM_ITEMS, np.float32), (np.arange(NUM_ITEMS), WORD_OF)))


def test_the_vector_of_an_item_is_its_own_and_those_of_its_words():
    encoder = FeatureEncoder.of(word_features(BAGS), 16)
    network = TimelineNetwork(CONFIGS[0], NUM_ITEMS, encoder)
    torch.nn.init.normal_(network.words.encoder.weight)
    words = network.words.encoder.weight[WORD_OF]
    expected = network.item_vectors.weight + words
    torch.testing.assert_close(network.all_vectors(), expected)
    some = torch.tensor([7, 0, 7])
    torch.testing.assert_close(network.vectors_of(some), expected[some])


def walks(rng, users, length=5):
    """Walks from word to word, each time to one of its items."""
    walked = []
    for _ in range(users):
        words = (rng.integers(NUM_WORDS) + np.arange(length)) % NUM_WORDS
        walked.append([int(rng.choice(np.flatnonzero(word == WORD_OF))) for word in words])
    return walked


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_what_follows_a_word_is_known_of_items_with_few_events(config):
    """A hundred items, twenty of each word, and no more than a few walks through each."""
    log, times = matrices_of(walks(np.random.default_rng(0), 100), NUM_ITEMS)
    words = word_features(BAGS)
    shares = []
    for features in ("all", ()):
        wanted = build_model(config.model_copy(update={"features": features}))
        model = fit_model(wanted, log, FitContext(TRAINING, item_features=words, times=times))
        history, when = matrices_of([[item] for item in range(NUM_ITEMS)], NUM_ITEMS)
        best = model.score_batch(history, when).argmax(dim=1).numpy()
        shares.append((WORD_OF[best] == (WORD_OF + 1) % NUM_WORDS).mean())
    assert shares[0] > 0.9
    assert shares[0] > shares[1] + 0.1


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_a_dataset_without_text_is_refused(config):
    log, times = matrices_of([[0, 1, 2]], NUM_ITEMS)
    with pytest.raises(InputError, match=r"with --items, .* or leave features out"):
        fit_model(build_model(config), log, FitContext(TRAINING, times=times))
