import numpy as np
import pytest
import torch

from recsparse.config.linear_models import (
    ContentKNNConfig,
    EASEConfig,
    IALSConfig,
    PopularityConfig,
    TextRidgeConfig,
)
from recsparse.config.models import BlendConfig
from recsparse.errors import InputError
from recsparse.models.protocol.reasons import rows_of_cells
from recsparse.testing import NUM_ITEMS, NUM_USERS, fitted, log_of, words_of

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


LISTED = torch.from_numpy(np.random.default_rng(2).integers(NUM_ITEMS, size=(NUM_USERS, 3)))


def deviation(part):
    return part.score_batch(log_of()).double().std(dim=1, correction=0, keepdim=True)


def test_reasons_are_those_of_the_parts_in_units_of_the_users_deviations():
    model, log = fitted(BlendConfig(parts=(EASE, IALS), weights=(1.0, 0.4))), log_of()
    found, row = model.contributions(log, None, LISTED), rows_of_cells(log)
    expected = sum(
        weight * part.contributions(log, None, LISTED).cells / deviation(part)[row]
        for part, weight in zip(model.parts, model.weights, strict=True)
    )
    torch.testing.assert_close(found.cells.double(), expected, rtol=1e-4, atol=1e-5)
    total = found.rest.index_add(0, row, found.cells)
    wanted = model.score_batch(log).gather(1, LISTED)
    torch.testing.assert_close(total, wanted, rtol=1e-4, atol=1e-4)
    known = torch.from_numpy(log.getnnz(axis=1) > 0)
    assert (found.explained[known] == 1).all()


def test_what_parts_without_reasons_add_is_not_explained():
    model, log = fitted(BlendConfig(parts=(EASE, PopularityConfig()), weights=(1.0, 2.0))), log_of()
    ease, popular = (
        weight * (part.score_batch(log) - part.score_batch(log).mean(dim=1, keepdim=True))
        / deviation(part).float().clamp(min=1e-9)
        for part, weight in zip(model.parts, model.weights, strict=True)
    )  # fmt: skip
    found, row = model.contributions(log, None, LISTED), rows_of_cells(log)
    sizes = ease.abs().gather(1, LISTED), popular.abs().gather(1, LISTED)
    torch.testing.assert_close(found.explained, sizes[0] / (sizes[0] + sizes[1]))
    total = found.rest.index_add(0, row, found.cells)
    wanted = model.score_batch(log).gather(1, LISTED)
    torch.testing.assert_close(total, wanted, rtol=1e-4, atol=1e-4)


def test_a_blend_of_networks_alone_gives_no_reasons():
    model = fitted(BlendConfig(parts=(PopularityConfig(),)))
    with pytest.raises(InputError, match=r"only \['popularity'\]; name such a part in model.parts"):
        model.contributions(log_of(), None, LISTED)


KNN, RIDGE = ContentKNNConfig(), TextRidgeConfig(ials=IALS)


def test_reasons_of_new_items_are_those_of_the_readers_in_units_of_the_users_deviations():
    """A part that reads no features counts nothing on new items, whatever its weight."""
    config = BlendConfig(
        parts=(EASE, KNN, RIDGE), weights=(1.0, 0.4, 0.0), new_weights=(0.0, 0.3, 1.0)
    )
    model, log, new = fitted(config), log_of(), words_of(NUM_ITEMS).rows(np.array([3, 5, 0]))
    listed = LISTED % 3
    found, row = model.contributions_to_new(log, None, listed, new), rows_of_cells(log)
    expected = sum(
        weight * part.contributions_to_new(log, None, listed, new).cells / deviation(part)[row]
        for part, weight in zip(model.parts, (0.0, 0.3, 1.0), strict=True)
        if weight
    )
    torch.testing.assert_close(found.cells.double(), expected, rtol=1e-3, atol=1e-5)
    wanted = model.score_cold(log, None, new).gather(1, listed)
    torch.testing.assert_close(found.totals(log), wanted, rtol=1e-4, atol=1e-4)


def test_a_blend_without_a_reader_gives_no_reasons_of_new_items():
    model, new = fitted(BlendConfig(parts=(EASE,))), words_of(NUM_ITEMS)
    with pytest.raises(InputError, match="the model is blend of ease"):
        model.contributions_to_new(log_of(), None, LISTED, new)
