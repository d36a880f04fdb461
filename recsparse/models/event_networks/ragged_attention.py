"""Causal self-attention over histories of many lengths, with little padding."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

# Shorter histories stand together, since many small products take longer than some padding.
_SHORT = 16


class LengthGroup(NamedTuple):
    """Users whose histories are about equally long.

    Attributes:
        event: Which events are theirs.
        row: The row of each of these events, one per user.
        position: The column of each.
        longest: Events of the longest history.
    """

    event: Int[Tensor, " g"]
    row: Int[Tensor, " g"]
    position: Int[Tensor, " g"]
    longest: int


def length_groups(user: Int[Tensor, " n"], position: Int[Tensor, " n"]) -> list[LengthGroup]:
    """Put users together whose histories are as long up to a factor of two.

    Args:
        user: The user of each event.
        position: Its place in the user's history, from 0.

    Returns:
        The groups, short histories first; each event is in one of them.
    """
    length = torch.bincount(user)[user]
    size = (length - 1).clamp(min=_SHORT - 1).log2().floor()
    groups = []
    for one in size.unique():
        event = (size == one).nonzero()[:, 0]
        row = user[event].unique(return_inverse=True)[1]
        groups.append(LengthGroup(event, row, position[event], int(length[event].max())))
    return groups


def causal_attention(
    queries_keys_values: Float[Tensor, "n three_d"],
    groups: list[LengthGroup],
    heads: int,
    dropout: float,
) -> Float[Tensor, "n d"]:
    """Attend from each event to itself and the user's events before it.

    Each group is padded to its longest history. What is behind a user's events is padding, which
    causal attention never looks at.

    Args:
        queries_keys_values: Side by side, of d numbers each.
        groups: All events.
        heads: Parts of d that attend apart.
        dropout: Share of the attention that is dropped.

    Returns:
        One vector per event.
    """
    attended = []
    for event, row, position, longest in groups:
        num_users = int(row.max()) + 1
        padded = queries_keys_values.new_zeros(num_users, longest, queries_keys_values.shape[1])
        padded = padded.index_put((row, position), queries_keys_values[event])
        query, key, value = padded.view(num_users, longest, 3, heads, -1).permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        attended.append(found.transpose(1, 2).flatten(2)[row, position])
    if not groups:
        return queries_keys_values[:, : queries_keys_values.shape[1] // 3]
    order = torch.cat([group.event for group in groups])
    return torch.cat(attended)[order.argsort()]
