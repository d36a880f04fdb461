import math

import numpy as np
import pytest
import torch
from hypothesis import given

from recsparse.errors import InputError
from recsparse.layers.text import BagOfWordsEncoder
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors


@given(sparse_tensors(1, channels=1, min_size=1))
def test_documents_are_the_dense_product_of_words_and_vectors(make):
    words = make()
    encoder = BagOfWordsEncoder(words.spatial_shape[0], 3).double()
    torch.nn.init.normal_(encoder.bias)
    dense = words.to_dense()[:, 0].numpy()
    expected = dense @ encoder.weight.detach().numpy() + encoder.bias.detach().numpy()
    assert encoder(words).shape == (words.batch_size, 3)
    np.testing.assert_allclose(encoder(words).detach(), expected, atol=1e-12)


def test_a_document_without_words_is_the_bias_alone():
    nothing = random_tensor((4,), batch_size=2, density=0.0, dtype=torch.float32)
    encoder = BagOfWordsEncoder(4, 2)
    torch.nn.init.ones_(encoder.bias)
    assert encoder(nothing).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert BagOfWordsEncoder(4, 2, bias=False)(nothing).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_the_gradient_is_the_weights_of_the_words_and_zero_for_absent_ones():
    # Word 3 occurs in both documents, word 0 in the second, words 1 and 2 in none.
    coords = torch.tensor([[0, 3], [1, 0], [1, 3]])
    words = sparse_tensor(coords, torch.tensor([[2.0], [5.0], [7.0]]), (4,), 2)
    encoder = BagOfWordsEncoder(4, 1)
    (encoder(words) * torch.tensor([[1.0], [10.0]])).sum().backward()
    assert encoder.weight.grad.tolist() == [[10 * 5.0], [0.0], [0.0], [1 * 2.0 + 10 * 7.0]]
    assert encoder.bias.grad.tolist() == [1 + 10.0]


def test_word_vectors_start_at_an_expected_length_of_one_and_the_bias_at_zero():
    torch.manual_seed(0)
    encoder = BagOfWordsEncoder(2000, 16)
    squares = encoder.weight.detach().square().sum(dim=1)
    # The mean of 2000 squared lengths, each with variance 2 / 16.
    assert squares.mean().item() == pytest.approx(1, abs=4 * math.sqrt(2 / 16 / 2000))
    assert encoder.bias.tolist() == [0.0] * 16


@pytest.mark.parametrize(
    ("shape", "channels", "found"),
    [
        ((5,), 1, r"\(5,\) and 1 channels"),
        ((4, 1), 1, r"\(4, 1\) and 1 channels"),
        ((4,), 2, r"\(4,\) and 2 channels"),
    ],
)
def test_a_tensor_that_is_no_bag_of_these_words_is_refused(shape, channels, found):
    message = f"words must have one axis of 4 words and one channel, but got spatial_shape {found}"
    with pytest.raises(InputError, match=message):
        BagOfWordsEncoder(4, 2)(random_tensor(shape, channels=channels))


def test_the_encoder_says_its_settings():
    assert repr(BagOfWordsEncoder(4, 2, bias=False)) == "BagOfWordsEncoder(4, 2, bias=False)"
