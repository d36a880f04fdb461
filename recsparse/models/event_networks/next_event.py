"""The objective of models of time: at each event of a user, the next one."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import override

from recsparse.config.event_models import EventConfig
from recsparse.models.content.user_encoder import UserColumns
from recsparse.models.event_networks.event_network import EventNetwork
from recsparse.models.histories.sequences import Events, Sequences
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.losses import full_softmax_loss
from recsparse.models.protocol.negatives import Negatives, negatives_where_large
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.own_loss import OwnLoss, own_loss


class Beginnings(NamedTuple):
    """What users take, whatever they did before.

    Attributes:
        users: The features of the users.
        items: All events of the users, one user's after the other's.
        weights: The weight of each event.
        row_ptr: Where the events of each user begin, and the end of the last.
    """

    users: UserColumns
    items: Int[Tensor, " n"]
    weights: Float[Tensor, " n"]
    row_ptr: Int[Tensor, " b_and_1"]

    def drawn(self) -> tuple[Int[Tensor, " b"], Float[Tensor, " b"]]:
        """Draw an event of each user, with torch's global generator.

        Returns:
            Its item and weight.
        """
        start, length = self.row_ptr[:-1], self.row_ptr.diff()
        share = torch.rand(len(length), device=length.device)
        event = start + (share * length).long().clamp(max=length - 1)
        return self.items[event], self.weights[event]


class NextEvents(NamedTuple):
    """Some users' events, each with the one that follows.

    Attributes:
        known: The events.
        following: The next item.
        weights: The weight of the next event.
        beginnings: Where the network reads features of users: from these alone, any event of each
            user is predicted, too.
    """

    known: Events
    following: Int[Tensor, " n"]
    weights: Float[Tensor, " n"]
    beginnings: Beginnings | None = None


class NextEvent(Objective):
    """Softmax cross-entropy of the event after each event, or a loss of one's own.

    Args:
        network: Summarises events and scores items.
        sequences: Each user's events; users with fewer than two teach nothing.
        config: The loss, negatives, and how the network is trained.
        users: Features of all users; None where the network reads none.
    """

    network: EventNetwork

    def __init__(
        self,
        network: EventNetwork,
        sequences: Sequences,
        config: EventConfig,
        users: Features | None = None,
    ) -> None:
        super().__init__(network, np.flatnonzero(sequences.lengths > 1), config.training)
        self.sequences, self.users = sequences, users
        counts = np.bincount(sequences.items, minlength=len(network.item_bias))
        self.negatives = negatives_where_large(counts, config)
        self.own = own_loss(config.loss)

    @override
    def batch(self, rows: list[int]) -> NextEvents:
        """Gather some users' events."""
        sequences = self.sequences.take(rows)
        known, following = sequences.without_last(), sequences.without_first()
        weights = torch.from_numpy(following.weights)
        beginnings = None
        if self.users is not None:
            every = sequences.items, sequences.weights, sequences.row_ptr
            beginnings = Beginnings(
                UserColumns.of(self.users.rows(np.asarray(rows))), *map(torch.from_numpy, every)
            )
        return NextEvents(known.events(), torch.from_numpy(following.items), weights, beginnings)

    @override
    def loss(self, batch: NextEvents) -> Tensor:
        """Return the mean loss of the events, by weight."""
        known, following, weights, beginnings = batch
        users = None if beginnings is None else beginnings.users
        summary = self.network.states(known, users)
        if beginnings is not None:
            first = self.network.first_states(len(beginnings.row_ptr) - 1, users)
            items, their_weights = beginnings.drawn()
            summary, following = torch.cat([summary, first]), torch.cat([following, items])
            weights = torch.cat([weights, their_weights])
        if self.own is not None:
            return self._own_loss(self.own, summary, following, weights)
        if self.negatives is None:
            vectors, bias = self.network.all_vectors(), self.network.item_bias
            return full_softmax_loss(summary, vectors, bias, following, weights)
        losses = self._sampled(summary, following, self.negatives)
        return (losses * weights).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)

    def _own_loss(
        self,
        own: OwnLoss,
        summary: Float[Tensor, "n d"],
        following: Int[Tensor, " n"],
        weights: Float[Tensor, " n"],
    ) -> Float[Tensor, ""]:
        event = torch.arange(len(following), device=following.device)
        if self.negatives is None:
            scores = self.network.scores(summary)
            items = torch.arange(scores.shape[1], device=scores.device)
            wanted = scores[event, following]
        else:
            items = self.negatives.draw(summary.device)
            wanted, scores = self._scores(summary, following, items)
        return own(scores, items == following[:, None], wanted, event, weights)

    def _sampled(
        self,
        summary: Float[Tensor, "n d"],
        following: Int[Tensor, " n"],
        negatives: Negatives,
    ) -> Float[Tensor, " n"]:
        """Sampled softmax: negatives shared by the batch, corrected for how often each is drawn."""
        drawn = negatives.draw(summary.device)
        positive, negative = self._scores(summary, following, drawn)
        negative = negative - negatives.log_expected(drawn)
        # What is the target itself competes as the positive alone.
        negative = negative.masked_fill(drawn == following[:, None], -torch.inf)
        both = torch.cat([positive[:, None], negative], dim=1)
        return torch.logsumexp(both, dim=1) - positive

    def _scores(
        self,
        summary: Float[Tensor, "n d"],
        following: Int[Tensor, " n"],
        drawn: Int[Tensor, " k"],
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n k"]]:
        vectors_of, bias = self.network.vectors_of, self.network.item_bias
        positive = (summary * vectors_of(following)).sum(dim=1) + bias[following]
        return positive, summary @ vectors_of(drawn).T + bias[drawn]
