"""How a fitted model scores items that no training row has, for users whose targets are known."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.fit_rows import FitRows
from recsparse.datasets.matrices import item_of, laid_out, times_of, user_of, with_columns
from recsparse.models.blend.placement_search import Evidence, best_known
from recsparse.models.blend.weights import sampled_users, standardised
from recsparse.models.content.new_items import features_of_readers
from recsparse.models.protocol.cold_scorer import ColdScorer
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.user_reader import scores_of
from recsparse.models.protocol.validation import Validation
from recsparse.models.registry import build_model
from recsparse.stages.user_features import user_features
from recsparse.training.fit import fit_model

# Fewer rows of new items in validation tell too little of their place.
_FEWEST_TARGETS = 200
# Scores of items to be ranked that are held, of each reader, to see what known targets lose.
_MOST_OTHERS = 30_000_000
_BATCH_USERS = 256


class Evidences:
    """Where evidence for the place of new items comes from.

    Args:
        data: The dataset.
        rows: What the model was fitted on.
        model: The fitted model.
        config: Section `new_items`, and what validation chooses by.
        context: What the model was fitted with, features of the items among it.
    """

    def __init__(
        self, data: Dataset, rows: FitRows, model: ColdScorer, config: Config, context: FitContext
    ) -> None:
        assert context.item_features is not None
        self.data, self.rows, self.model = data, rows, model
        self.config, self.context = config, context
        self.features: Features = context.item_features
        self.readers = model.readers()
        self.rng = np.random.default_rng(config.seed)

    def of_validation(self, index: NDArray[np.int64], features: Features) -> Evidence | None:
        """Take the rows of new items that the validation part has.

        Args:
            index: Which of the dataset's items the new ones are.
            features: Theirs.

        Returns:
            The evidence; None where there are too few such rows.
        """
        users, targets = self._users_of_validation(index)
        split = len(self.data.items)
        wanted = np.unique(targets[:, split:].indices)
        if targets[:, split:].nnz < _FEWEST_TARGETS:
            return None
        users = sampled_users(replace(users, targets=targets), self.config.seed)
        others = np.setdiff1d(np.arange(len(index)), wanted)
        items = np.union1d(wanted, self._sampled(others, users.history.shape[0]))
        best, scores, z = self._scored(users, features.rows(items))
        known, new = users.targets[:, :split], users.targets[:, split:][:, items]
        return Evidence(best, scores, known, z, new)

    def of_held_out(self, features: Features) -> Evidence:
        """Take some known items for new: the readers are fitted once more without their rows.

        Args:
            features: Of the new items, which show what known targets lose to them.

        Returns:
            The evidence.
        """
        assert self.context.validation is not None
        held, kept = self._held_out()
        users = sampled_users(self.context.validation, self.config.seed)
        readers = [self._fitted_without(reader, kept) for reader in self.readers]
        column = np.full(len(held) + len(kept), -1)
        column[kept] = kept
        known_targets = with_columns(users.targets, column, len(column))
        num_users = users.history.shape[0]
        others = features.rows(self._sampled(np.arange(features.num_ids), num_users))
        is_held = torch.zeros(len(column), dtype=torch.bool)
        is_held[torch.from_numpy(held)] = True
        best, scores, z = self._scored(users, others, without=is_held)
        history, times = _columns(users.history, kept), _columns(users.times, kept)
        held_features = self.features.rows(held)
        new = [_new_scores(reader, history, times, held_features) for reader in readers]
        row, item = map(torch.from_numpy, csr_matrix(users.history[:, held]).nonzero())
        for each in new:
            each[row, item] = -torch.inf
        new_targets = csr_matrix(users.targets[:, held])
        return Evidence(
            best, scores, known_targets, new, new_targets, z if others.num_ids else None
        )

    def _users_of_validation(self, index: NDArray[np.int64]) -> tuple[Validation, csr_matrix]:
        """Return users who have a history, and their targets: known items, then the new ones."""
        data, num_known = self.data, len(self.data.items)
        rows, tables = data.targets_and_history("validation")
        num_ids = num_known + len(data.unseen_items)
        column = np.full(num_ids, -1, dtype=np.int64)
        column[:num_known] = np.arange(num_known)
        column[index] = num_known + np.arange(len(index))
        user, item = user_of(rows), column[item_of(rows)]
        has_history = np.zeros(len(data.users) + len(data.unseen_users), dtype=bool)
        for table in tables:
            has_history[user_of(table)[item_of(table) < num_known]] = True
        wanted = has_history[user] & (item >= 0)
        users = np.unique(user[wanted])
        row_of = np.full(len(has_history), -1, dtype=np.int64)
        row_of[users] = np.arange(len(users))
        shape = len(users), num_known
        cells = row_of[user[wanted]], item[wanted], data.grades_of(rows)[wanted]
        targets = laid_out(*cells, (len(users), num_known + len(index)))
        history = data.history_of(tables, row_of, shape)
        times = times_of(tables, lambda user: row_of[user], shape)
        metric = self.config.evaluation.select_by
        of_users = user_features(data, data.user_ids(users))
        return Validation(history, history, times, metric, users=of_users), targets

    def _sampled(self, places: NDArray[np.int64], num_users: int) -> NDArray[np.int64]:
        """Draw as many items to be ranked as can be held for all users."""
        most = max(1, _MOST_OTHERS // max(1, num_users))
        if len(places) <= most:
            return places
        return np.sort(self.rng.choice(places, most, replace=False))

    def _held_out(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw known items that have features, and return these and all others."""
        features = features_of_readers(self.model, self.features)
        described = np.flatnonzero(features.are_known())
        size = max(1, round(self.config.new_items.held_out * len(described)))
        held = np.sort(self.rng.choice(described, min(size, len(described)), replace=False))
        return held, np.setdiff1d(np.arange(features.num_ids), held)

    def _fitted_without(self, reader: ColdScorer, kept: NDArray[np.int64]) -> ColdScorer:
        assert isinstance(reader, Recommender)
        times = self.rows.times
        again = replace(
            self.context,
            times=None if times is None else _columns(times, kept),
            item_features=self.features.rows(kept),
            validation=None,
            warm_start=None,
            checkpoints=None,
            on_epoch=None,
        )
        fitted = fit_model(
            build_model(reader.settled()), csr_matrix(self.rows.interactions[:, kept]), again
        )
        assert isinstance(fitted, ColdScorer)
        return fitted

    def _scored(
        self, users: Validation, items: Features, without: Tensor | None = None
    ) -> tuple[Tensor, Tensor, list[Float[Tensor, "b n"]]]:
        """Return the best known items, their scores, and those of new items by each reader."""
        places, values, history = [], [], users.history
        z = [torch.empty(history.shape[0], items.num_ids) for _ in self.readers]
        for start in range(0, history.shape[0], _BATCH_USERS):
            some = slice(start, start + _BATCH_USERS)
            rows, when = history[some], None if users.times is None else users.times[some]
            of_users = None if users.users is None else users.users.rows(some)
            known = standardised(scores_of(self.model, rows, when, of_users))
            if without is not None:
                known[:, without] = -torch.inf
            best, found = best_known(known, rows, self.config.evaluation.select_by)
            places.append(best)
            values.append(found)
            if items.num_ids:
                for own, reader in zip(z, self.readers, strict=True):
                    own[some] = reader.score_with_new(rows, when, items)[1]
        return torch.cat(places), torch.cat(values), z


def _new_scores(
    reader: ColdScorer, history: csr_matrix, times: csr_matrix | None, items: Features
) -> Float[Tensor, "b n"]:
    found = torch.empty(history.shape[0], items.num_ids)
    for start in range(0, history.shape[0], _BATCH_USERS):
        some = slice(start, start + _BATCH_USERS)
        when = None if times is None else times[some]
        found[some] = reader.score_with_new(history[some], when, items)[1]
    return found


def _columns(matrix: csr_matrix | None, kept: NDArray[np.int64]) -> csr_matrix | None:
    return None if matrix is None else csr_matrix(matrix[:, kept])
