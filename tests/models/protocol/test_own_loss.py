"""A loss of one's own: what it is given, that networks learn by it, and what is refused."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.event_models import SASRecConfig, TimelineConfig
from recsparse.config.network_models import (
    BPRConfig,
    LightGCNConfig,
    SparseGridConfig,
    TextTowerConfig,
)
from recsparse.config.training import TrainingConfig
from recsparse.errors import ConfigError, InputError
from recsparse.models.event_networks.next_event import NextEvent
from recsparse.models.event_networks.sasrec import SASRecNetwork
from recsparse.models.histories.sequences import Sequences
from recsparse.models.protocol.objective import HiddenCells
from recsparse.models.protocol.own_loss import OwnLoss, own_loss
from recsparse.models.registry import build_model
from recsparse.models.row_networks.bpr import Factors
from recsparse.models.row_networks.pairwise import RowsBeforeOthers
from recsparse.testing import checkerboard, fit, log_of, score, times_of
from tests.models.protocol.test_negatives import ROWS, grid_network, tower_network

SOFTMAX, PLAIN_TRAINING = f"{__name__}:softmax", TrainingConfig(epochs=60, device="cpu")


def softmax(wanted, others, row, weights):
    """Return the cross-entropy of each wanted item among what its row does not hold."""
    both = torch.cat([wanted[:, None], others[row]], dim=1)
    return ((both.logsumexp(dim=1) - wanted) * weights).sum() / weights.sum()


def margin(wanted, others, row, weights):
    short = (1 - wanted + others.logsumexp(dim=1)[row]).clamp(min=0)
    return (short * weights).sum() / weights.sum()


def fails(wanted, others, row, weights):
    return wanted @ others


def each_cell(wanted, others, row, weights):
    return wanted


def a_number(wanted, others, row, weights):
    return 0.5


def without_gradient(wanted, others, row, weights):
    return wanted.detach().sum()


def infinite(wanted, others, row, weights):
    return others.square().mean()


def of_bad_gradient(wanted, others, row, weights):
    return (wanted - wanted).abs().sqrt().sum()


NO_LOSS = 5


def gradients(loss, network):
    inputs = [each for each in network.parameters() if each.requires_grad]
    found = torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)
    return [loss.detach(), *found]


def test_of_events_it_is_given_what_the_full_softmax_sees():
    log = log_of()
    torch.manual_seed(0)
    config = SASRecConfig(channels=4, blocks=1, dropout=0.0)
    network = SASRecNetwork(config, log.shape[1])
    torch.nn.init.normal_(network.item_bias)
    sequences = Sequences.of(log, times_of(log), 9)
    ours, own = (
        NextEvent(network, sequences, config.model_copy(update={"loss": loss}))
        for loss in ("softmax", SOFTMAX)
    )
    batch = ours.batch([1, 2, 5])
    found = [gradients(each.loss(batch), network) for each in (own, ours)]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_of_a_large_catalogue_it_is_given_drawn_items():
    """The sampled softmax, but for what corrects its scores for the drawing."""
    log, seen = log_of(), []
    config = SASRecConfig(channels=4, blocks=1, dropout=0.0, full_softmax_items=5, negatives=7)
    torch.manual_seed(0)
    network = SASRecNetwork(config, log.shape[1])
    objective = NextEvent(network, Sequences.of(log, times_of(log), 9), config)
    objective.own = OwnLoss(SOFTMAX)
    objective.own.function = lambda *given: seen.append(given) or softmax(*given)
    objective.negatives.log_expected = lambda drawn: torch.zeros(len(drawn))
    batch = objective.batch([1, 2, 5])
    torch.manual_seed(3)
    loss = objective.loss(batch)
    ((wanted, others, row, weights),) = seen
    assert others.shape == (len(wanted), 7)
    assert row.tolist() == [*range(len(batch.following))]
    assert torch.equal(weights, batch.weights)
    objective.own = None
    torch.manual_seed(3)
    torch.testing.assert_close(objective.loss(batch), loss)


def among_others(scores, cells, log):
    """Return the mean cross-entropy of cells among what their rows do not hold, by a loop."""
    losses, weights = [], []
    for row, item in cells:
        others = np.flatnonzero(log[row].toarray()[0] == 0).tolist()
        losses.append(-scores[row, [item, *others]].log_softmax(dim=0)[0].item())
        weights.append(log[row, item])
    return np.average(losses, weights=weights)


def test_of_rows_no_item_that_a_row_holds_competes():
    log = log_of()
    torch.manual_seed(0)
    network = Factors(*log.shape, 4)
    config = BPRConfig(channels=4, regularisation=0.0, loss=SOFTMAX)
    objective = RowsBeforeOthers(network, log, config)
    found = objective.loss(objective.batch([3, 7, 8])).item()
    users, items, bias = (each.detach().double() for each in network.tables())
    cells = [(row, item) for row in (3, 7, 8) for item in log[row].indices]
    expected = among_others(users @ items.T + bias, cells, log)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("network_of", [grid_network, tower_network])
def test_of_hidden_cells_neither_the_hidden_nor_the_kept_ones_of_a_row_compete(network_of):
    network = network_of(large=False)
    objective = HiddenCells(network, ROWS, 0.5, own=OwnLoss(SOFTMAX))
    batch = objective.batch([*range(30)])
    torch.manual_seed(1)
    loss = objective.loss(batch)
    torch.manual_seed(1)
    hidden = torch.rand(len(batch.feats)) < 0.5
    kept = csr_matrix((batch.feats[~hidden, 0], batch.coords[~hidden, 1:].T), shape=ROWS.shape)
    scores = network(type(batch).from_scipy(kept)).detach().double()
    expected = among_others(scores, batch.coords[hidden, 1:].tolist(), ROWS)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


ROW_CONFIGS = [
    BPRConfig(channels=8, training=PLAIN_TRAINING.model_copy(update={"learning_rate": 0.03})),
    LightGCNConfig(channels=8, training=PLAIN_TRAINING.model_copy(update={"learning_rate": 0.03})),
    SparseGridConfig(factors=4, hidden=8, linear=None, training=PLAIN_TRAINING),
    TextTowerConfig(channels=8, cosine_weight=0.0, training=PLAIN_TRAINING),
]


@pytest.mark.parametrize("config", ROW_CONFIGS, ids=lambda config: config.kind)
def test_networks_of_rows_learn_a_checkerboard_by_it(config):
    log, same, held_out = checkerboard()
    model = build_model(config.model_copy(update={"loss": f"{__name__}:margin"}))
    scores = score(fit(model, log), log).numpy()
    assert scores[held_out].mean() > scores[~same].mean() + scores.std()


@pytest.mark.parametrize("more", [{}, {"full_softmax_items": 5, "negatives": 6}])
@pytest.mark.parametrize("kind", [TimelineConfig, SASRecConfig])
def test_networks_of_events_are_trained_by_it(kind, more):
    config = kind(channels=8, training=TrainingConfig(epochs=1, device="cpu"), **more)
    softly = fit(build_model(config), log_of())
    own = fit(build_model(config.model_copy(update={"loss": f"{__name__}:margin"})), log_of())
    assert not torch.equal(score(own, log_of()), score(softly, log_of()))


def test_a_fitted_model_is_restored_where_the_module_is_not():
    config = BPRConfig(channels=8, training=TrainingConfig(epochs=1, device="cpu"), loss=SOFTMAX)
    model = fit(build_model(config), log_of())
    stranger = config.model_copy(update={"loss": "not_there:loss"})
    again = type(model).from_state(stranger, model.state())
    assert torch.equal(score(again, log_of()), score(model, log_of()))
    with pytest.raises(ConfigError, match=r"model.loss is not_there:loss.*RECSPARSE_PLUGINS=not_"):
        fit(again, log_of())


def test_the_names_of_our_own_losses_are_no_functions():
    assert own_loss("softmax") is None


def called(name):
    scores = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    held, row = torch.eye(3, 4, dtype=torch.bool), torch.tensor([0, 2])
    return OwnLoss(f"{__name__}:{name}")(scores, held, scores[row, row], row, torch.ones(2))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails", r"here of 2, 3 × 4, 2, 2, but raised RuntimeError: mat1.*mend the fun"),
        ("each_cell", "must return one number, .* but returned a tensor of 2; end it with .mean"),
        ("a_number", "must return one number, a tensor without axes, but returned 0.5"),
        ("without_gradient", "must depend on wanted or others, but has no gradient"),
        ("infinite", "must be finite, but .* the loss is inf and the gradient is .*-inf where an"),
        ("of_bad_gradient", "the loss is 0.0 and the gradient is not finite"),
        ("NO_LOSS", "model.loss must name a class or a function, but .*:NO_LOSS is 5"),
    ],
)
def test_what_is_no_loss_is_refused_in_the_first_batch(name, message):
    with pytest.raises(InputError, match=message):
        called(name)


def test_without_wanted_items_there_is_no_loss_and_a_gradient_of_zero():
    scores = torch.randn(2, 3, requires_grad=True)
    none = torch.empty(0, dtype=torch.int64)
    loss = OwnLoss(f"{__name__}:fails")(
        scores, scores > 9, scores[none, none], none, torch.empty(0)
    )
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.abs().sum() == 0


def test_a_row_that_holds_every_item_gives_a_finite_gradient():
    scores = torch.zeros(1, 2, requires_grad=True)
    row, items = torch.tensor([0, 0]), torch.tensor([0, 1])
    own = OwnLoss(SOFTMAX)
    own(scores, scores == 0, scores[row, items], row, torch.ones(2)).backward()
    assert scores.grad.tolist() == [[0.0, 0.0]]
