import numpy as np
import pytest

from recsparse.config.linear_models import EASEConfig, IALSConfig, PopularityConfig
from recsparse.config.models import BlendConfig
from recsparse.errors import InputError
from recsparse.testing import NUM_ITEMS, fitted

EASE, IALS = EASEConfig(regularisation=5), IALSConfig(factors=4, iterations=3)


def naive(part, item):
    """An item's similarities to all others in units of their deviation from their mean."""
    row = part.similarities(np.array([item])).numpy()[0].astype(np.float64)
    others = np.delete(row, item)
    return (row - others.mean()) / np.sqrt(((others - others.mean()) ** 2).sum() / NUM_ITEMS)


def test_similarities_are_the_weighted_sum_of_the_standardised_ones_of_the_parts():
    config = BlendConfig(parts=(EASE, PopularityConfig(), IALS), weights=(2.0, 5.0, 0.5))
    model = fitted(config)
    items = np.array([3, 0, 7])
    found = model.similarities(items).numpy()
    for row, item in zip(found, items, strict=True):
        expected = 2.0 * naive(model.parts[0], item) + 0.5 * naive(model.parts[2], item)
        others = np.arange(NUM_ITEMS) != item
        np.testing.assert_allclose(row[others], expected[others], rtol=1e-3, atol=1e-3)


def test_parts_that_know_of_no_similarity_are_not_enough():
    model = fitted(BlendConfig(parts=(PopularityConfig(),)))
    with pytest.raises(InputError, match=r"only \['popularity'\]; name such a part in model.parts"):
        model.similarities(np.array([0]))
