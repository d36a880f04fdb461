import numpy as np
import pyarrow as pa

from recsparse.datasets.ageing import aged_weights

DAY = 86_400


def test_a_weight_halves_with_every_half_life_and_a_later_row_weighs_more():
    weight = np.array([8.0, 8.0, 8.0, 8.0], dtype=np.float32)
    times = pa.chunked_array([[10 * DAY, 8 * DAY, 12 * DAY, None]])
    found = aged_weights(weight, times, 10 * DAY, 2.0)
    assert found.tolist() == [8.0, 8.0 * 0.5, 8.0 * 2, 8.0]
    assert found.dtype == np.float32


def test_without_a_half_life_or_a_last_second_age_does_not_matter():
    weight, times = np.ones(1, dtype=np.float32), pa.chunked_array([[0]])
    assert aged_weights(weight, times, DAY, None).tolist() == [1.0]
    assert aged_weights(weight, times, None, 2.0).tolist() == [1.0]
