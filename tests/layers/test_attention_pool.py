import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.layers.attention_pool import AttentionPool
from tests.random_grids import random_tensor, sparse_tensors


def layer_of(*settings, **more):
    torch.manual_seed(0)
    return AttentionPool(*settings, **more).double()


def weighted_one_by_one(x, layer, kept):
    """Weigh the cells of each line by the softmax of their scores, in numpy."""
    weights = {name: part.detach().numpy() for name, part in layer.state_dict().items()}
    sizes = (x.batch_size, *[x.spatial_shape[axis] for axis in kept])
    out = np.zeros((*sizes, x.num_channels))
    places = x.coords.numpy()[:, [0, *[1 + axis for axis in kept]]]
    for place in itertools.product(*map(range, sizes)):
        rows = x.feats.numpy()[(places == place).all(axis=1)]
        if len(rows):
            if "score.weight" in weights:
                score = rows @ weights["score.weight"].T
            else:
                hidden = np.tanh(rows @ weights["score.0.weight"].T + weights["score.0.bias"])
                score = hidden @ weights["score.2.weight"].T
            share = np.exp(score) / np.exp(score).sum()
            out[place] = (share * rows).sum(axis=0)
    return out


@given(sparse_tensors(3, channels=2, max_size=3), st.sampled_from([None, 3]), st.data())
def test_cells_are_weighed_by_the_softmax_of_their_scores(make, hidden, data):
    gone = data.draw(st.none() | st.integers(0, 2) | st.lists(st.integers(0, 2), unique=True))
    kept = [axis for axis in range(3) if gone not in (None, axis)]
    if isinstance(gone, list):
        kept = [axis for axis in range(3) if axis not in gone]
    x, layer = make(), layer_of(2, gone, hidden)
    pooled = layer(x)
    expected = weighted_one_by_one(x, layer, kept)
    assert pooled.shape == expected.shape
    np.testing.assert_allclose(pooled.detach(), expected, atol=1e-12)


def test_a_sparse_result_holds_the_lines_with_cells():
    x = random_tensor((4, 5, 6), batch_size=2, channels=2, density=0.1)
    layer = layer_of(2, axis=2, sparse=True)
    pooled, dense = layer(x), layer_of(2, axis=2)(x)
    assert pooled.grid is x.grid.lines((0, 1))[0]
    torch.testing.assert_close(pooled.to_dense().movedim(1, -1), dense)


def test_large_scores_do_not_overflow():
    x = random_tensor((3,), density=1.0)
    x = x.with_feats(torch.tensor([[1000.0], [999.0], [-1000.0]]).double())
    layer = layer_of(1)
    layer.score.weight.data.fill_(1.0)
    expected = (1000 + 999 * np.exp(-1)) / (1 + np.exp(-1))
    assert layer(x).item() == pytest.approx(expected)


def test_nan_stays_in_its_line():
    x = random_tensor((3, 3), channels=2, density=1.0)
    feats = x.feats.clone()
    feats[4, 0] = torch.nan
    pooled, before = layer_of(2, 1)(x.with_feats(feats))[0], layer_of(2, 1)(x)[0]
    assert pooled[1].isnan().all()
    assert torch.equal(pooled[[0, 2]], before[[0, 2]])


def test_under_autocast_the_shares_are_exact():
    x = random_tensor((3000,), channels=2, density=1.0, dtype=torch.float32)
    layer = layer_of(2).float()
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        pooled, low = layer(x), layer(x.to(torch.bfloat16))
    assert (pooled.dtype, low.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(pooled, exact, atol=0.01, rtol=0.01)
    torch.testing.assert_close(low.float(), exact, atol=0.02, rtol=0.02)


def test_the_parameters_are_named_for_the_score():
    assert AttentionPool(2).state_dict().keys() == {"score.weight"}
    expected = {"score.0.weight", "score.0.bias", "score.2.weight"}
    assert AttentionPool(2, hidden=3).state_dict().keys() == expected


def test_other_channels_and_axes_are_refused():
    with pytest.raises(InputError, match="AttentionPool needs feats of 2 channels, but got 3"):
        layer_of(2)(random_tensor((2,), channels=3))
    with pytest.raises(InputError, match="axis must be from 0 to 0, but got 1"):
        layer_of(2, 1)(random_tensor((2,), channels=2))
    with pytest.raises(InputError, match="needs an axis that stays, but got axis=None"):
        AttentionPool(2, sparse=True)
