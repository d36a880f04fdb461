"""Recommenders that read each user's events in the order of time and predict the next one."""

import itertools
from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.event_models import EventConfig
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.content.user_encoder import UserColumns, UserEncoder
from recsparse.models.content.wanted_features import (
    encoder_of,
    needs_features,
    needs_user_features,
    wanted_user_features,
)
from recsparse.models.event_networks.event_network import EventNetwork
from recsparse.models.event_networks.next_event import NextEvent
from recsparse.models.histories.sequences import Sequences, times_of_cells
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs
from recsparse.models.protocol.recommender import NetworkRecommender, check_interactions
from recsparse.models.protocol.score_vectors import ScoresByVectors, with_bias, with_one
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import load_network, stored_tensor
from recsparse.models.protocol.user_reader import UserReader
from recsparse.models.protocol.warm_start import take_over

# Of several users that are scored at a time.
_EVENTS_AT_ONCE = 16_384


class EventRecommender(NetworkRecommender, HasItemVectors, UserReader, ScoresByVectors):
    """A network that summarises a user's events and scores what may come next.

    It is trained on every event of every user at once, by a softmax over all items, or over
    sampled ones where the catalogue is large.
    """

    config: EventConfig
    network: EventNetwork

    @abstractmethod
    def _new_network(self, num_items: int, features: FeatureEncoder | None) -> EventNetwork:
        """Return an untrained network."""

    @override
    def needs(self) -> Needs:
        config = self.config
        return {"times": "kind", **needs_features(config), **needs_user_features(config)}

    @override
    def continues(self) -> bool:
        # The words of another vocabulary would be others.
        return not self.config.features and not self.config.user_features

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "EventRecommender":
        """Train the network.

        Args:
            interactions: Users × items, positive weights.
            context: `times` orders each user's events, `trainer` trains the network, from that of
                `warm_start` on; `item_features` and `user_features` where the configuration
                names some.

        Returns:
            The fitted model itself.

        Raises:
            InputError: If times, `trainer` or wanted features are missing, or nothing can be
                learned from the interactions.
        """
        cells = check_interactions(interactions)
        times = times_of_cells(cells, context.times)
        torch.manual_seed(context.seed)
        self.num_items = cells.shape[1]
        features = encoder_of(self, context, self.num_items, self.config.channels)
        users = wanted_user_features(self, self.config, context, cells.shape[0])
        self.network = self._new_network(self.num_items, features)
        if users is not None:
            self.network.read_users(UserEncoder.of(users, self.config.channels))
        self._start_bias(cells)
        warm_start = context.warm_start if self.continues() else None
        take_over(self.network, warm_start, ("item_vectors.weight", "item_bias"))
        sequences = Sequences.of(cells, times, self.config.most_events + 1)
        self._train(NextEvent(self.network, sequences, self.config, users), context)
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Scores of what comes after the last event of each user."""
        return self._products(self._summaries(history, times, None))

    @override
    def score_users(
        self, history: csr_matrix, times: csr_matrix | None, users: Features
    ) -> Float[Tensor, "b m"]:
        """Scores of what comes next, by the events of each user and the user's features."""
        return self._products(self._summaries(history, times, self.reads_of_users(users)))

    @override
    def user_vectors(
        self, history: csr_matrix, times: csr_matrix | None = None, users: Features | None = None
    ) -> Float[Tensor, "b d"]:
        """What the network knows after the last event of each user, and a 1 for the biases."""
        read = None if users is None else self.reads_of_users(users)
        return with_one(self._summaries(history, times, read).cpu()).clone()

    @override
    def item_vectors(self) -> Float[Tensor, "m d"]:
        """The vectors of the items and their features, with the biases."""
        return with_bias(self.vectors_of_items(), self.network.item_bias.detach().cpu())

    def _products(self, summary: Float[Tensor, "b d"]) -> Float[Tensor, "b m"]:
        with torch.inference_mode():
            scores = self.network.scores(summary)
        return scores.cpu().clone()

    def _summaries(
        self, history: csr_matrix, times: csr_matrix | None, users: Features | None
    ) -> Float[Tensor, "b d"]:
        history = self._checked_history(history)
        self.network.eval()
        with torch.inference_mode():
            summary = [
                self._summary(
                    history[some],
                    None if times is None else times[some],
                    None if users is None else users.rows(some),
                )
                for some in _slices(history, self.config.most_events)
            ]
            none = self.network.item_bias.new_zeros(0, self.config.channels)
            return torch.cat([none, *summary])

    def _summary(
        self, history: csr_matrix, times: csr_matrix | None, users: Features | None
    ) -> Float[Tensor, "b d"]:
        """Return what is known after the last event of each user, zeros where there is none.

        Where the network reads features of users, those without events have a state by these.
        """
        sequences = Sequences.of(history, times, self.config.most_events)
        bias = self.network.item_bias
        columns = None
        if users is not None and users.groups:
            columns = UserColumns.of(users).to(bias.device)
        summary = self.network.first_states(len(sequences), columns)
        filled = sequences.lengths > 0
        if filled.any():
            every = self.network.states(sequences.events().to(bias.device), columns)
            last = torch.from_numpy(sequences.row_ptr[1:][filled] - 1)
            summary[torch.from_numpy(filled)] = every[last]
        return summary

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The vectors of the items and their features, which go in and score."""
        return self.network.eval().all_vectors().detach().cpu()

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the network's weights."""
        return dict(self.network.state_dict())

    @classmethod
    @override
    def from_state(cls, config: EventConfig, state: Mapping[str, Tensor]) -> "EventRecommender":
        model = cls(config)
        model.num_items = len(stored_tensor(state, "item_vectors.weight", None, config.channels))
        features = FeatureEncoder.stored(state, model.num_items, config.channels)
        model.network = model._new_network(model.num_items, features)
        if "start" in state:
            model.network.read_users(UserEncoder.stored(state, "users.", config.channels))
        load_network(model.network, state)
        return model

    def _start_bias(self, cells: csr_matrix) -> None:
        # Popularity is known before anything is learned.
        count = column_sums(cells).astype(np.float32)
        share = (count + 1) / (count + 1).sum()
        with torch.no_grad():
            self.network.item_bias.copy_(torch.from_numpy(np.log(share * len(share))).float())


def _slices(history: csr_matrix, most_events: int) -> list[slice]:
    """Return users some at a time, since a network holds several vectors of each event."""
    events = np.minimum(np.diff(history.indptr), most_events).cumsum()
    starts = np.flatnonzero(np.diff(events // _EVENTS_AT_ONCE, prepend=-1)).tolist()
    return [slice(*some) for some in itertools.pairwise([*starts, history.shape[0]])]
