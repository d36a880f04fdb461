import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.models.protocol import losses
from recsparse.models.protocol.losses import full_softmax_loss, masked_softmax_loss


def random_case(rows, items, seed):
    """Logits, and every cell either kept, a target with a weight, or neither."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, items, generator=generator, dtype=torch.float64)
    kind = torch.randint(0, 3, (rows, items), generator=generator)
    targets = (kind == 1).nonzero()
    weights = torch.rand(len(targets), generator=generator, dtype=torch.float64) + 0.1
    return logits, (kind == 0).nonzero(), targets, weights


def loss_cell_by_cell(logits, kept, targets, weights):
    seen = {tuple(cell) for cell in kept.tolist()}
    total = 0.0
    for (row, item), weight in zip(targets.tolist(), weights.tolist(), strict=True):
        rivals = [
            math.exp(logits[row, other])
            for other in range(logits.shape[1])
            if (row, other) not in seen
        ]
        total -= weight * math.log(math.exp(logits[row, item]) / sum(rivals))
    return total / sum(weights.tolist()) if len(targets) else 0.0


@given(st.integers(0, 4), st.integers(1, 6), st.integers(0, 99))
def test_the_loss_is_that_of_a_loop_over_the_targets(rows, items, seed):
    case = random_case(rows, items, seed)
    assert masked_softmax_loss(*case).item() == pytest.approx(loss_cell_by_cell(*case))


def test_equal_logits_leave_each_item_that_is_not_seen_the_same_chance():
    logits = torch.zeros(1, 5)
    loss = masked_softmax_loss(
        logits, torch.tensor([[0, 1], [0, 2]]), torch.tensor([[0, 0]]), torch.ones(1)
    )
    assert loss.item() == pytest.approx(-math.log(1 / 3))


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_is_right(seed):
    logits, kept, targets, weights = random_case(3, 5, seed)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda logits: masked_softmax_loss(logits, kept, targets, weights), logits
    )


def test_seen_items_get_no_gradient():
    logits, kept, targets, weights = random_case(3, 5, seed=1)
    logits.requires_grad_()
    masked_softmax_loss(logits, kept, targets, weights).backward()
    assert len(kept)
    assert (logits.grad[kept[:, 0], kept[:, 1]] == 0).all()


def test_a_row_that_has_seen_everything_harms_no_other():
    logits = torch.zeros(2, 2, requires_grad=True)
    kept = torch.tensor([[0, 0], [0, 1]])
    loss = masked_softmax_loss(logits, kept, torch.tensor([[1, 0]]), torch.ones(1))
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(1 / 2))
    assert logits.grad.tolist() == [[0, 0], [1 / 2 - 1, 1 / 2]]


@pytest.mark.parametrize("num_targets", [0, 2])
def test_targets_without_weight_give_a_loss_and_a_gradient_of_zero(num_targets):
    logits = torch.randn(2, 3, requires_grad=True)
    targets = torch.tensor([[0, 1], [1, 2]])[:num_targets]
    kept = torch.zeros(0, 2, dtype=torch.int64)
    loss = masked_softmax_loss(logits, kept, targets, torch.zeros(num_targets))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_a_missing_weight_is_refused():
    cells = torch.tensor([[0, 1]])
    with pytest.raises(InputError, match="one entry per target, but got 2 for 1"):
        masked_softmax_loss(torch.zeros(1, 3), cells[:0], cells, torch.ones(2))


@pytest.mark.parametrize("at_once", [1, 30, 10**6])
@pytest.mark.parametrize("zero", [False, True])
def test_the_full_softmax_is_torchs_cross_entropy_and_so_is_its_gradient(
    monkeypatch, at_once, zero
):
    monkeypatch.setattr(losses, "_SCORES_AT_ONCE", at_once)
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((7, 3), (9, 3), (9,))
    ]
    targets = torch.randint(9, (7,), generator=generator)
    weights = torch.zeros(7) if zero else torch.rand(7, generator=generator)
    weights = weights.double()
    loss = full_softmax_loss(*inputs, targets, weights)
    found = torch.autograd.grad(3 * loss, inputs)
    summary, vectors, bias = inputs
    each = torch.nn.functional.cross_entropy(summary @ vectors.T + bias, targets, reduction="none")
    expected = (each * weights).sum() / (1.0 if zero else weights.sum())
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(found, torch.autograd.grad(3 * expected, inputs))


def test_scores_that_overflow_alone_do_not_in_the_full_softmax():
    summary = torch.tensor([[1000.0]], requires_grad=True)
    loss = full_softmax_loss(
        summary, torch.tensor([[1.0], [2.0]]), torch.zeros(2), torch.tensor([0]), torch.ones(1)
    )
    assert loss.item() == pytest.approx(1000)


def test_under_autocast_the_products_are_rounded_and_nothing_else_is():
    rng = torch.Generator().manual_seed(0)
    summary, vectors = (torch.randn(n, 16, generator=rng) for n in (40, 30))
    targets, ones = torch.randint(30, (40,), generator=rng), torch.ones(40)
    results = {}
    for is_rounded in (False, True):
        inputs = summary.clone().requires_grad_(), vectors.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_rounded):
            loss = full_softmax_loss(*inputs, torch.zeros(30), targets, ones)
        loss.backward()
        results[is_rounded] = [loss.detach(), *(each.grad for each in inputs)]
        assert all(each.dtype == torch.float32 for each in results[is_rounded])
    for exact, rounded in zip(*results.values(), strict=True):
        torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02 * exact.abs().max().item())
        assert not torch.equal(rounded, exact)


def test_no_event_has_no_full_softmax_loss():
    loss = full_softmax_loss(
        torch.zeros(0, 2), torch.zeros(3, 2), torch.zeros(3), torch.zeros(0).long(), torch.zeros(0)
    )
    assert loss.item() == 0
