import pytest
import torch

from benchmarks.steps import OURS, Case, contenders, measure, random_events

SMALL = Case("small", users=9, typical=12, spread=1.0, most=40, channels=8)


def test_sasrec_equals_the_transformer_of_torch_on_padded_histories():
    events, networks = random_events(SMALL, 30), contenders(SMALL, 30, dropout=0.0)
    (_, sasrec), (_, padded) = [*networks.items()][1:]
    found, expected = sasrec(events), padded(events)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    grad = torch.randn_like(found)
    vectors = sasrec.item_vectors.weight
    (own,), (theirs,) = (torch.autograd.grad(out, vectors, grad) for out in (found, expected))
    torch.testing.assert_close(own, theirs, rtol=1e-3, atol=1e-4)


def test_histories_are_as_long_as_the_case_says():
    events = random_events(Case("long", users=200, typical=20, spread=0.5), 30)
    lengths = events.grid.coords[:, 1].bincount()
    assert len(lengths) == 200
    assert 15 < lengths.float().median() < 25
    assert lengths.min() >= 1
    assert lengths.max() <= 200


def test_a_row_has_times_of_all_and_ratios_to_the_timeline():
    row = measure(SMALL, rounds=1, num_items=30)
    for name in contenders(SMALL, 30, dropout=0.2).keys() - {OURS}:
        assert row[f"{name} ÷ {OURS}"] == pytest.approx(row[name] / row[OURS])
