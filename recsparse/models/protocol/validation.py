"""Users held back from a fit, and the one metric by which they judge what was fitted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.metric_names import figure_name
from recsparse.metrics.chosen_metrics import ChosenMetrics
from recsparse.metrics.rating_metrics import rating_errors
from recsparse.metrics.top_k import mask_seen, top_k
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.predicted_cells import predicted_cells
from recsparse.models.protocol.user_reader import scores_of


@dataclass(frozen=True)
class Judge:
    """Tells how good a network is while it is trained.

    Attributes:
        name: What the quality is called among the metrics of an epoch.
        quality: Returns the quality of the network as it is now, the larger the better.
    """

    name: str
    quality: Callable[[], float]


@dataclass(frozen=True, eq=False)
class Validation:
    """Users to rank items for while a model is fitted.

    Attributes:
        history: Users × items, what a model may see.
        targets: Users × items, what it has to predict.
        times: The time of each interaction of the history, where times are known.
        metric: Name of the ranking metric that counts, with its list length; models of ratings are
            judged by their root mean squared error.
        looks_ahead: Whether the targets come after the history; where they do not, models of the
            next event are of no use.
        batch_users: Users scored at a time.
        users: What is known of these users besides rows; None where nothing is.
    """

    history: csr_matrix
    targets: csr_matrix
    times: csr_matrix | None = None
    metric: str = "ndcg@10"
    looks_ahead: bool = True
    batch_users: int = 1024
    users: Features | None = None

    def quality_name(self, model: FittedModel) -> str:
        """Return what the quality of a model is called among the metrics of an epoch.

        Args:
            model: Any model.

        Returns:
            The metric's name without its list length, or that of the negative error of ratings.
        """
        name = (
            "negative_rmse"
            if model.predicts_ratings
            else figure_name(self.metric).partition("@")[0]
        )
        return f"validation_{name}"

    def quality(self, model: FittedModel) -> float:
        """Judge a model as it is now.

        Args:
            model: A fitted model.

        Returns:
            The mean of the metric over the users with targets, or the negative error of all
            ratings; the larger the better, NaN where there are no targets.
        """
        if model.predicts_ratings:
            found = predicted_cells(model, self.history, self.targets, self.batch_users)
            return -rating_errors(found, self.targets).overall["rmse"]
        per_user = [np.zeros(0)]
        for start in range(0, self.history.shape[0], self.batch_users):
            rows = slice(start, start + self.batch_users)
            history, times = self.history[rows], None if self.times is None else self.times[rows]
            users = None if self.users is None else self.users.rows(rows)
            scores = mask_seen(scores_of(model, history, times, users), history)
            per_user.append(self.of_scores(scores, self.targets[rows]))
        values = np.concatenate(per_user)
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    def of_scores(self, scores: Float[Tensor, "b m"], targets: csr_matrix) -> NDArray[np.float64]:
        """Judge scores of which the items that the users have seen are −inf.

        Args:
            scores: One row per user.
            targets: One row per user, what is wanted.

        Returns:
            The metric of each user; NaN for a user without targets.
        """
        chosen = ChosenMetrics([self.metric])
        best, _ = top_k(scores, chosen.longest)
        (values,) = chosen.per_user(best, targets).values()
        return values
