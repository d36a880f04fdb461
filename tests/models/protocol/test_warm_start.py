from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix, hstack

from recsparse.config.event_models import SASRecConfig, TimelineConfig
from recsparse.config.linear_models import EASEConfig, IALSConfig, PopularityConfig
from recsparse.config.models import BlendConfig
from recsparse.config.network_models import BPRConfig, MultVAEConfig, SparseGridConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.blend.blend import BlendRecommender
from recsparse.models.linear.als import als_factors, with_empty_weight
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.warm_start import WarmStart
from recsparse.models.registry import build_model
from recsparse.testing import NUM_ITEMS, TRAINING, fitted, log_of, times_of
from recsparse.training.fit import fit_model

TIMELINE = TimelineConfig(channels=8, blocks=1, training=None)
SIZES = [
    TIMELINE,
    SASRecConfig(channels=8, blocks=1, training=None),
    MultVAEConfig(hidden=8, latent=4),
    SparseGridConfig(factors=4, hidden=8, item_iterations=2, linear=None),
]
# Where each known item is among two more: backwards, between new ones.
PLACES = np.arange(NUM_ITEMS)[::-1] + 1


def moved(log):
    """The log with its items where `PLACES` says, and two items that nobody has."""
    return csr_matrix(
        hstack([csr_matrix((log.shape[0], 1)), log[:, ::-1], csr_matrix((log.shape[0], 1))])
    )


def untrained(config, warm_start, log):
    """A model whose network is left as it starts."""
    context = FitContext(
        times=times_of(log), trainer=lambda *_: TrainingConfig(), warm_start=warm_start, seed=9
    )
    return build_model(config).fit(log, context)


@pytest.mark.parametrize("config", SIZES[:3], ids=lambda config: config.kind)
def test_known_items_keep_what_was_learned_wherever_they_are(config):
    old, log = fitted(config), log_of()
    new = untrained(config, WarmStart(old, PLACES), moved(log))
    before = old.score_batch(log, times_of(log))
    times = moved(times_of(log))
    after = new.score_batch(moved(log), times)[:, PLACES]
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_the_grid_network_keeps_its_parameters_and_starts_iterating_from_its_vectors():
    config = SIZES[3]
    old, log = fitted(config), moved(log_of())
    new = untrained(config, WarmStart(old, PLACES), log)
    for name, value in old.network.named_parameters():
        own = new.network.get_parameter(name)
        per_item = name in ("output_vectors.weight", "item_bias", "item_log_weight")
        assert torch.equal(own[PLACES.copy()] if per_item else own, value), name
    sweeps = IALSConfig(factors=4, iterations=2, regularisation=config.regularisation)
    sweeps = with_empty_weight(sweeps, log)
    _, vectors = als_factors(log, sweeps, 9, WarmStart(old, PLACES))
    torch.testing.assert_close(new.network.item_vectors, vectors)


def test_factors_that_have_converged_stay_where_they_are():
    long = IALSConfig(factors=4, iterations=200, regularisation=0.1)
    old = build_model(long).fit(log_of())
    short = long.model_copy(update={"iterations": 1})
    new = build_model(short).fit(
        log_of(), FitContext(warm_start=WarmStart(old, np.arange(NUM_ITEMS)))
    )
    cold = build_model(short).fit(log_of())
    torch.testing.assert_close(new.item_factors, old.item_factors, rtol=1e-3, atol=1e-3)
    assert (cold.item_factors - old.item_factors).abs().max() > 0.1


def test_items_that_are_gone_are_forgotten():
    old = fitted(TIMELINE)
    places = np.arange(NUM_ITEMS) - 3
    places[:3] = -1
    log = csr_matrix(log_of()[:, 3:])
    new = untrained(TIMELINE, WarmStart(old, places), log)
    vectors = old.network.item_vectors.weight[3:]
    assert torch.equal(new.network.item_vectors.weight, vectors)


def test_parts_of_a_blend_continue_from_those_of_the_same_settings():
    ease, other = EASEConfig(regularisation=5), TIMELINE.model_copy(update={"dropout": 0.5})
    log = log_of()
    context = FitContext(TRAINING, times=times_of(log))
    blend = BlendConfig(parts=(ease, TIMELINE))
    old = fit_model(BlendRecommender(blend), log, context)
    again = BlendConfig(parts=(other, TIMELINE, ease))
    new = untrained(again, WarmStart(old, np.arange(NUM_ITEMS)), log)
    fresh, kept, _ = new.parts
    before = old.parts[1].score_batch(log, times_of(log))
    torch.testing.assert_close(kept.score_batch(log, times_of(log)), before)
    assert not torch.equal(fresh.network.item_vectors.weight, kept.network.item_vectors.weight)


@pytest.mark.parametrize("change", [{"dropout": 0.5}, {"training": TRAINING}])
def test_a_part_goes_on_from_one_that_was_trained_otherwise(change):
    log = log_of()
    blend = BlendConfig(parts=(TIMELINE,))
    old = fit_model(BlendRecommender(blend), log, FitContext(TRAINING, times=times_of(log)))
    again = BlendConfig(parts=(TIMELINE.model_copy(update=change),))
    new = untrained(again, WarmStart(old, np.arange(NUM_ITEMS)), log)
    after = new.score_batch(log, times_of(log))
    torch.testing.assert_close(after, old.score_batch(log, times_of(log)))


def test_training_goes_on_from_there():
    """With a rate of next to nothing the scores stay those of the fitted model."""
    log, training = log_of(), TRAINING.model_copy(update={"learning_rate": 1e-9})
    old = fitted(TIMELINE)
    start = WarmStart(old, np.arange(NUM_ITEMS))
    context = FitContext(training, times=times_of(log), warm_start=start)
    new = fit_model(build_model(TIMELINE), log, context)
    before = old.score_batch(log, times_of(log))
    torch.testing.assert_close(new.score_batch(log, times_of(log)), before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", [{"channels": 4}, {"blocks": 2}, {"kernel_size": 1}])
def test_a_network_of_other_sizes_is_refused(change):
    warm_start = WarmStart(fitted(TIMELINE), np.arange(NUM_ITEMS))
    with pytest.raises(InputError, match=r"continues from one of its own sizes, but its .* is of"):
        untrained(TIMELINE.model_copy(update=change), warm_start, log_of())


def test_other_factors_are_refused():
    warm_start = WarmStart(fitted(IALSConfig(factors=4)), np.arange(NUM_ITEMS))
    with pytest.raises(InputError, match=r"vector of an item is of \(5,\) and that of .*\(4,\)"):
        build_model(IALSConfig(factors=5)).fit(log_of(), FitContext(warm_start=warm_start))


def test_a_model_of_another_kind_is_refused():
    warm_start = WarmStart(fitted(TIMELINE), np.arange(NUM_ITEMS))
    plan = replace(FitContext(TRAINING), warm_start=warm_start)
    with pytest.raises(
        InputError, match=r"ease was to continue from timeline; set model\.kind=timeline"
    ):
        fit_model(build_model(EASEConfig()), log_of(), plan)


EASE, POPULARITY = EASEConfig(regularisation=5), PopularityConfig()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        *((config, True) for config in SIZES),
        (IALSConfig(factors=4, iterations=2), True),
        (BlendConfig(parts=(EASE, TIMELINE)), True),
        (BlendConfig(parts=(EASE, POPULARITY)), False),
        (EASE, False),
        (POPULARITY, False),
        (BPRConfig(channels=4), False),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_model_says_whether_a_fit_continues_from_it(config, expected):
    """What a short fit gives differs by the model to continue from, or does not."""
    log, training = log_of(), TRAINING.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    context = FitContext(training, times=times_of(log), seed=9)
    old = fit_model(build_model(config), log, FitContext(TRAINING, times=times_of(log), seed=2))
    start = WarmStart(old, np.arange(NUM_ITEMS))
    new, anew = (
        fit_model(build_model(config), log, replace(context, warm_start=each)).score_batch(
            log, times_of(log)
        )
        for each in (start, None)
    )
    assert old.continues() == expected
    assert torch.equal(new, anew) != expected


@pytest.mark.parametrize("config", [TIMELINE, SIZES[3]], ids=lambda config: config.kind)
def test_a_network_with_words_is_fitted_anew(config):
    assert not build_model(config.model_copy(update={"features": "all"})).continues()
