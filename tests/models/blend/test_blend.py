import itertools

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, IALSConfig, ItemKNNConfig, PopularityConfig
from recsparse.config.models import BlendConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.config.toml_reader import parse_config
from recsparse.errors import InputError
from recsparse.models.blend import blend
from recsparse.models.blend.blend import BlendRecommender
from recsparse.models.blend.weights import standardised
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.validation import Validation
from recsparse.testing import PersonalConformance, fitted, log_of, times_of

PARTS = (
    EASEConfig(regularisation=5),
    IALSConfig(factors=4, iterations=3, regularisation=0.1),
    SparseGridConfig(factors=4, hidden=8, item_iterations=3, regularisation=0.1, linear=None),
)
SMALL = BlendConfig(parts=PARTS)


class TestBlend(PersonalConformance):
    config = SMALL


def test_scores_are_the_weighted_sum_of_the_standardised_parts():
    model = fitted(SMALL)
    assert [part.kind for part in model.parts] == ["ease", "ials", "sparse_grid"]
    assert model.weights == [1.0, 1.0, 1.0]
    expected = sum(standardised(part.score_batch(log_of())) for part in model.parts)
    torch.testing.assert_close(model.score_batch(log_of()), expected)


def test_a_part_of_no_use_is_dropped_and_the_configuration_says_so():
    log = log_of()
    perfect = torch.from_numpy((log_of(seed=2).toarray() > 0).astype(np.float32))

    class OnlyEase(Validation):
        def of_scores(self, scores, targets):
            # Whatever is added to EASE's scores makes them worse.
            alone = standardised(EASE(PARTS[0]).fit(log).score_batch(self.history))
            unseen = torch.from_numpy(self.history.toarray() == 0)
            return -((scores - alone)[unseen]).square().mean(dim=0, keepdim=True).numpy()

    validation = OnlyEase(log, csr_matrix(perfect.numpy()))
    config = BlendConfig(parts=(PopularityConfig(), PARTS[0], ItemKNNConfig()))
    model = BlendRecommender(config).fit(log, FitContext(validation=validation))
    assert [part.kind for part in model.parts] == ["ease"]
    assert model.weights == [1.0]
    assert model.config.parts == (PARTS[0],)
    again = BlendRecommender.from_state(model.config, model.state())
    assert torch.equal(again.score_batch(log), model.score_batch(log))


def test_each_part_has_a_seed_of_its_own():
    seeds = []

    class Seen(Popularity):
        def fit(self, interactions, context=None):
            seeds.append(context.seed)
            return super().fit(interactions, context)

    config = BlendConfig(parts=(PopularityConfig(), PopularityConfig()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blend, "model_class", lambda kind: Seen)
        BlendRecommender(config).fit(log_of(), FitContext(seed=40))
    assert seeds == [40, 41]


def test_parts_that_differ_in_scoring_alone_are_fitted_and_stored_once(monkeypatch):
    """Two EASE of one regularisation, one of them weighted by recency, and one of another."""
    fits, fit = [], EASE.fit
    monkeypatch.setattr(EASE, "fit", lambda self, *args: fits.append(self) or fit(self, *args))
    plain, other = EASEConfig(regularisation=5), EASEConfig(regularisation=50)
    recent = plain.model_copy(update={"recency_decay": 0.5})
    config = BlendConfig(parts=(plain, recent, other))
    model = BlendRecommender(config).fit(log_of())
    assert [part.config for part in fits] == [plain, other]
    state = model.state()
    assert [name for name in state if name != "weights"] == ["parts.0.weights", "parts.2.weights"]
    again = BlendRecommender.from_state(model.config, state)
    times = times_of(log_of())
    parts = [EASE(each).fit(log_of()).score_batch(log_of(), times) for each in config.parts]
    expected = sum(standardised(part) for part in parts)
    for each in (model, again):
        torch.testing.assert_close(each.score_batch(log_of(), times), expected)


def test_a_blend_within_a_blend_is_refused():
    inner = {"kind": "blend", "parts": [{"kind": "ease"}]}
    with pytest.raises(InputError, match="blend"):
        parse_config({"model": {"kind": "blend", "parts": [inner]}})


@pytest.mark.parametrize("parts", [None, PARTS[:2]])
def test_a_state_of_other_parts_is_refused(parts):
    with pytest.raises(InputError, match=r"must name its parts in model\.parts, one for each of 3"):
        BlendRecommender.from_state(BlendConfig(parts=parts), fitted(SMALL).state())


def test_all_pairs_of_parts_blend():
    for pair in itertools.combinations(PARTS[:2], 2):
        model = BlendRecommender(BlendConfig(parts=pair)).fit(log_of())
        assert model.score_batch(log_of()).isfinite().all()
