"""Attention over histories of many lengths, against a softmax written out for each user."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.models.event_networks.ragged_attention import causal_attention, length_groups

LENGTHS = st.lists(st.integers(0, 70), max_size=8)


def cells_of(lengths):
    user = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths).long())
    position = torch.cat([torch.arange(0), *(torch.arange(length) for length in lengths)])
    return user, position


def one_by_one(numbers, user, heads):
    """Return what each event attends to, by the formula, one user and one head at a time."""
    out = []
    for one in user.unique():
        parts = numbers[user == one].chunk(3, dim=1)
        found = []
        for query, key, value in zip(*(part.chunk(heads, dim=1) for part in parts), strict=True):
            logits = query @ key.T / query.shape[1] ** 0.5
            later = torch.ones_like(logits).triu(1).bool()
            found.append(logits.masked_fill(later, -torch.inf).softmax(dim=1) @ value)
        out.append(torch.cat(found, dim=1))
    return torch.cat(out) if out else numbers[:, : numbers.shape[1] // 3]


@settings(max_examples=30, deadline=None)
@given(lengths=LENGTHS, heads=st.sampled_from([1, 2]))
def test_it_equals_a_softmax_over_the_events_until_then(lengths, heads):
    user, position = cells_of(lengths)
    numbers = torch.randn(len(user), 12, generator=torch.Generator().manual_seed(0))
    found = causal_attention(numbers, length_groups(user, position), heads, 0.0)
    torch.testing.assert_close(found, one_by_one(numbers, user, heads), rtol=1e-4, atol=1e-5)


def test_its_gradient_is_that_of_finite_differences():
    user, position = cells_of([2, 17, 1])
    groups = length_groups(user, position)
    numbers = torch.randn(20, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: causal_attention(x, groups, 1, 0.0), numbers)


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS)
def test_each_event_is_in_one_group_and_little_is_padded(lengths):
    user, position = cells_of(lengths)
    groups = length_groups(user, position)
    events = [event for group in groups for event in group.event.tolist()]
    assert sorted(events) == list(range(len(user)))
    for group in groups:
        own = user[group.event].bincount()
        assert group.longest == own.max()
        assert torch.equal(own[own > 0], group.row.bincount())
        assert group.longest <= 16 or group.longest <= 2 * own[own > 0].min()


def test_all_of_the_attention_dropped_leaves_nothing():
    user, position = cells_of([3, 20])
    numbers = torch.randn(23, 6)
    out = causal_attention(numbers, length_groups(user, position), 1, 1.0)
    assert torch.equal(out, torch.zeros(23, 2))
