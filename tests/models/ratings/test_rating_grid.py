import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.rating_models import RatingBayesConfig, RatingGridConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.predicted_cells import predicted_cells
from recsparse.models.protocol.validation import Validation
from recsparse.models.ratings.rating_bayes import RatingBayes
from recsparse.models.ratings.rating_grid import RatingGrid
from recsparse.models.ratings.rating_grid_network import (
    HiddenRatings,
    RatingGridNetwork,
    TrainingRatings,
    rating_cells,
)
from recsparse.testing import fitted, log_of
from recsparse.training.fit import fit_model
from tests.models.rating_conformance import PersonalRatingConformance, RatingConformance
from tests.validations import judged_by

LONGER = TrainingConfig(epochs=6, batch_users=8, learning_rate=1e-2, device="cpu")
BAYES = RatingBayesConfig(factors=3, noise=0.2, spectral_features=2, burn_in=10, samples=10)
ALONE = RatingGridConfig(
    channels=8, hidden=16, spectral_features=4, dropout=0.0, bayes=None, training=LONGER
)
SMALL = ALONE.model_copy(update={"bayes": BAYES})


class TestRatingGrid(PersonalRatingConformance):
    config = SMALL


class TestRatingGridAlone(RatingConformance):
    config = ALONE


class TestRatingGridWithoutBlocks(RatingConformance):
    config = ALONE.model_copy(update={"blocks": 0})


def network_and_cells(blocks=1):
    torch.manual_seed(0)
    config = ALONE.model_copy(update={"blocks": blocks})
    features = torch.randn(12, 4)
    network = RatingGridNetwork(config, features, (1.0, 5.0)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    log = csr_matrix(np.clip(log_of().toarray().round() * 2 - 1, 0, 5), dtype=np.float32)
    log.eliminate_zeros()
    above = csr_matrix((log.data - 3, log.indices, log.indptr), shape=log.shape)
    return network, log, above


def by_hand(network, log, above):
    """Every user and item vector, a row at a time with dense tensors."""
    users = []
    of_item = network.of_item(network.features)
    for row in range(log.shape[0]):
        item, rating = log[row].indices, torch.from_numpy(log[row].data)
        y = torch.from_numpy(above[row].data).unsqueeze(1)
        count, shrinkage = len(item), 5.0
        own_mean = y.sum() / (count + shrinkage)
        one_hot = torch.nn.functional.one_hot(rating.long() - 1, 5).float()
        x = network.of_rating(torch.cat([one_hot, y - own_mean], dim=1))
        x = x + of_item[item, :8] + of_item[item, 8:] * (y - own_mean)
        for block in network.blocks:
            norm, axis, _ = block.layers
            z = torch.nn.functional.layer_norm(x, (8,), norm.weight, norm.bias)
            mixed = axis.cell(z) + axis.mixed["row"](z.mean(dim=0, keepdim=True))
            x = x + torch.nn.functional.gelu(mixed)
        pooled = x.sum(dim=0) * count**0.5 / (count + shrinkage)
        found = network.to_user(pooled)
        users.append(torch.cat([found[:8], own_mean + found[8:], torch.ones(1)]))
    to_item = network.to_item(network.features)
    items = torch.cat([to_item[:, :8], torch.ones(12, 1), to_item[:, 8:]], dim=1)
    return torch.stack(users), items


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_the_network_is_what_dense_tensors_give(blocks):
    network, log, above = network_and_cells(blocks)
    users, items = network(rating_cells(log, above))
    expected_users, expected_items = by_hand(network, log, above)
    filled = np.flatnonzero(log.getnnz(axis=1))
    torch.testing.assert_close(users[filled], expected_users[filled], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(items, expected_items)


def test_ratings_between_two_steps_are_shared_by_them():
    network, _, _ = network_and_cells(blocks=0)
    low, between, high = (
        network._embedded(rating_cells(*[csr_matrix([[value] + 11 * [0.0]])] * 2),
                          torch.zeros(1, 1))
        for value in (2.0, 2.25, 3.0)
    )  # fmt: skip
    torch.testing.assert_close(between, 0.75 * low + 0.25 * high)


def test_the_loss_is_the_squared_error_of_the_hidden_cells():
    network, log, above = network_and_cells()
    target = csr_matrix((above.data + 0.5, log.indices, log.indptr), shape=log.shape)
    objective = HiddenRatings(network, TrainingRatings(log, above, target), ALONE)
    rows = objective.rows.tolist()
    assert rows == np.flatnonzero(log.getnnz(axis=1)).tolist()
    batch = objective.batch(rows)
    torch.manual_seed(3)
    found = objective.loss(batch)
    torch.manual_seed(3)
    hidden = (torch.rand(log.nnz) < 0.2).numpy()
    kept = [csr_matrix(matrix[rows], copy=True) for matrix in (log, above)]
    cells = [
        csr_matrix(
            (each.data[~hidden], each.indices[~hidden],
             np.concatenate([[0], np.cumsum(~hidden)])[each.indptr]),
            shape=each.shape,
        )
        for each in kept
    ]  # fmt: skip
    users, items = by_hand(network, *cells)
    row = np.repeat(np.arange(len(rows)), np.diff(kept[0].indptr))[hidden]
    predicted = (users @ items.T)[row, kept[0].indices[hidden]]
    expected = (predicted - torch.from_numpy(target.data[hidden])).square().mean()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_batch_of_which_no_cell_is_hidden_costs_nothing():
    network, log, above = network_and_cells()
    objective = HiddenRatings(network, TrainingRatings(log, above, above), ALONE)
    objective.share = 0.0
    assert objective.loss(objective.batch([0, 1])).item() == 0.0


def test_a_hidden_rating_has_no_part_in_the_mean_of_its_item():
    """Another value in one cell changes the targets of other cells, its own by its difference."""
    log = log_of(20, 6, seed=1)
    model = RatingGrid(ALONE)
    fit_model(model, log, FitContext(TrainingConfig(epochs=1, device="cpu")))
    data = model._training_ratings(log)
    user, item = log.tocoo().row, log.indices
    for cell in (0, 7, log.nnz - 1):
        others = (item == item[cell]) & (np.arange(log.nnz) != cell)
        deviation = log.data - model.bias.mean - model.bias.user_bias(log)[user]
        mean = deviation[others].sum() / (others.sum() + 5.0)
        expected = (log.data[cell] - model.bias.mean - mean) / model.spread
        np.testing.assert_allclose(data.target.data[cell], expected, atol=1e-5)


def validation_of(seed):
    rng = np.random.default_rng(seed)
    log = log_of(30, 12, seed=seed)
    hidden = rng.random(log.nnz) < 0.2
    parts = [
        csr_matrix((log.data * keep, log.indices, log.indptr), shape=log.shape)
        for keep in (~hidden, hidden)
    ]
    for part in parts:
        part.eliminate_zeros()
    return Validation(*parts)


def test_the_weight_of_the_network_is_the_one_of_least_squared_error():
    validation = validation_of(4)
    model = RatingGrid(SMALL)
    fit_model(model, validation.history, FitContext(LONGER, validation=validation))
    history, targets = validation.history, validation.targets

    def squared_error(weight):
        model.network_weight = weight
        return ((predicted_cells(model, history, targets) - targets.data) ** 2).sum()

    chosen = model.network_weight
    best = squared_error(chosen)
    assert 0 < chosen < 1
    assert all(squared_error(weight) >= best - 1e-6 for weight in np.linspace(0, 1, 11))


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_without_validation_the_configured_weight_is_taken(weight):
    config = SMALL.model_copy(update={"network_weight": weight})
    log = log_of()
    model = RatingGrid(config)
    fit_model(model, log, FitContext(LONGER))
    alone = fit_model(RatingGrid(ALONE), log, FitContext(LONGER)).score_batch(log)
    bayes = RatingBayes(BAYES).fit(log).score_batch(log)
    torch.testing.assert_close(model.score_batch(log), weight * alone + (1 - weight) * bayes)


def test_the_best_epoch_is_the_one_of_the_least_validation_error():
    seen = []
    errors = iter([0.9, 0.7, 0.8])
    log = log_of()

    def validate(model):
        seen.append(model.score_batch(log))
        return -next(errors)

    epochs = []
    validation = judged_by(validate)
    context = FitContext(
        LONGER, validation=validation, on_epoch=lambda _, metrics: epochs.append(metrics)
    )
    config = ALONE.model_copy(update={"training": LONGER.model_copy(update={"epochs": 3})})
    model = fit_model(RatingGrid(config), log, context)
    assert [each["validation_negative_rmse"] for each in epochs] == pytest.approx(
        [-0.9, -0.7, -0.8]
    )
    torch.testing.assert_close(model.score_batch(log), seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_without_a_trainer_the_fit_is_refused():
    with pytest.raises(InputError, match=r"RatingGrid needs context\.trainer"):
        RatingGrid(SMALL).fit(csr_matrix(np.ones((2, 2))))


def test_the_shared_model_is_left_with_both_parts():
    model = fitted(SMALL)
    assert model.bayes is not None
    assert model.network_weight == 0.25
