"""RatingBayes: ratings from the mean over many factorisations, sampled from their posterior."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.rating_models import RatingBayesConfig
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import stored_tensor
from recsparse.models.ratings.gibbs_sampler import (
    gibbs_sweeps,
    spectral_features,
    with_ones,
    without_bias,
)
from recsparse.models.ratings.rating_model import RatingModel, with_values
from recsparse.models.ratings.row_posteriors import row_posteriors


class RatingBayes(RatingModel, HasItemVectors):
    """Bayesian matrix factorisation whose item vectors are predicted from who rated the item.

    The sampler is that of Salakhutdinov and Mnih 2008
    (https://doi.org/10.1145/1390156.1390267), with features of the items as in Simm et al. 2017
    (https://doi.org/10.1109/MLSP.2017.8168143): the first singular vectors of who rated what. That
    a user watched a film tells of the film before any rating does. A user's vector is the mean of
    its posterior given the row that is scored, under each sample of the item vectors in turn;
    predictions are the mean over the samples.
    """

    kind: ClassVar[str] = "rating_bayes"
    config: RatingBayesConfig

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "RatingBayes":
        """Sample the item vectors.

        Args:
            interactions: Users × items, the ratings.
            context: The seed of the samples.

        Returns:
            The model itself.
        """
        ratings, config = self._start_fit(interactions), self.config
        self.mean = float(ratings.data.mean(dtype=np.float64))
        # Ratings that are all equal have no spread, and then any unit does.
        self.spread = float(ratings.data.std(dtype=np.float64)) or 1.0
        sweeps = gibbs_sweeps(
            self._standardised(ratings),
            spectral_features(ratings, config.spectral_features, context.seed),
            config.factors,
            1.0 / config.noise,
            config.feature_precision,
            np.random.default_rng(context.seed),
        )
        last = config.burn_in + config.samples * config.thinning
        kept = []
        with context.reporter.task("sampling", last) as advance:
            for sweep, sample in enumerate(islice(sweeps, last)):
                if sweep >= config.burn_in and (sweep - config.burn_in) % config.thinning == 0:
                    kept.append(replace(sample, items=sample.items.float()))
                advance(sweep + 1)
        self.items = torch.stack([sample.items for sample in kept])
        self.user_means = torch.stack([sample.user_mean for sample in kept])
        self.user_precisions = torch.stack([sample.user_precision for sample in kept])
        return self

    def _predict(self, history: csr_matrix) -> Float[Tensor, "b m"]:
        rows = self._standardised(history)
        total = torch.zeros(history.shape, dtype=torch.float64)
        for sample, mean, precision in zip(
            self.items, self.user_means, self.user_precisions, strict=True
        ):
            items = sample.double()
            columns = with_ones(items)
            left = without_bias(rows, items)
            users = row_posteriors(
                left, columns, mean.unsqueeze(0), precision, 1.0 / self.config.noise
            )
            total += users @ columns.T + items[:, -1]
        return self.mean + self.spread / len(self.items) * total

    def _standardised(self, ratings: csr_matrix) -> csr_matrix:
        return with_values(ratings, (ratings.data.astype(np.float64) - self.mean) / self.spread)

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The item vectors of all samples side by side, without the deviations."""
        return self.items[:, :, :-1].transpose(0, 1).flatten(1)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the samples, and the unit of the ratings."""
        return {
            "unit": torch.tensor([self.mean, self.spread], dtype=torch.float64),
            "items": self.items,
            "user_means": self.user_means,
            "user_precisions": self.user_precisions,
            "range": self._range(),
        }

    @classmethod
    @override
    def from_state(cls, config: RatingBayesConfig, state: Mapping[str, Tensor]) -> "RatingBayes":
        model = cls(config)
        model.mean, model.spread = stored_tensor(state, "unit", 2, dtype=torch.float64).tolist()
        model.items = stored_tensor(state, "items", None, None, None)
        samples, model.num_items, size = model.items.shape
        model.user_means, model.user_precisions = (
            stored_tensor(state, name, samples, *([size] * axes), dtype=torch.float64)
            for name, axes in (("user_means", 1), ("user_precisions", 2))
        )
        model._set_range(state)
        return model
