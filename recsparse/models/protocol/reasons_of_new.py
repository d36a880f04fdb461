"""Reasons for new items: models whose scores by features alone are sums over the history, too."""

from abc import abstractmethod

import torch
from jaxtyping import Int
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.models.protocol.cold_scorer import ColdScorer, mean_and_deviation
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.reasons import Contributions
from recsparse.models.protocol.user_reader import scores_of


class HasReasonsForNew(ColdScorer):
    """A fitted model that can say which events of a history brought a new item its score."""

    @abstractmethod
    def contributions_to_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        items: Features,
    ) -> Contributions:
        """Say what each event adds to the scores of some new items.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            listed: The items to explain, places among the new ones, of each user as many.
            items: Features of the new items, of the same groups and columns as at the fit.

        Returns:
            What the scores of `score_cold` are the sum of, float32, on the CPU.
        """

    def contributions_with_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        items: Features,
        users: Features | None = None,
    ) -> Contributions:
        """Say what each event adds to the scores of some new items, in deviations.

        Mean and deviation of a user's scores of the known items are made from the whole history.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            listed: The items to explain, places among the new ones, of each user as many.
            items: Features of the new items, of the same groups and columns as at the fit.
            users: Features of the users, for models that read some; None where none are known.

        Returns:
            What the scores of new items that `score_with_new` gives are the sum of.
        """
        centre, spread, is_spread = mean_and_deviation(scores_of(self, history, times, users))
        slope = torch.where(is_spread, 1 / spread, 0.0)
        found = self.contributions_to_new(history, times, listed, items)
        return found.on_line(history, -slope * centre, slope)
