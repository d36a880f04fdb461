import pytest
import torch

from benchmarks.bags import OURS, Case, contenders, measure, random_bags

SMALL = Case("small", 20, 50, 300, 4)


def test_all_contenders_compute_the_product_with_the_matrix_of_bags():
    bags = random_bags(SMALL)
    vectors = torch.randn(SMALL.words, SMALL.channels)
    expected = bags.to_dense()[:, 0] @ vectors
    found = contenders(bags)
    assert len(found) == 4
    for encode in found.values():
        torch.testing.assert_close(encode(vectors), expected)


def test_a_row_has_times_of_all_and_ratios_to_ours():
    row = measure(SMALL, rounds=1)
    rivals = contenders(random_bags(SMALL)).keys() - {OURS}
    for rival in rivals:
        assert row[f"{rival} ÷ ours"] == pytest.approx(row[rival] / row[OURS])
