import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.errors import ConfigError, InputError
from recsparse.metrics.own_metrics import OwnMetric


def number_of_targets(recommended, targets):
    return np.diff(targets.indptr)


def length_of_lists(recommended, targets):
    return [recommended.shape[1]] * len(recommended)


def own(function, length=1):
    return OwnMetric("own", function, length)


@pytest.mark.parametrize(("suffix", "length"), [("", 20), ("@5", 5)])
def test_a_function_judges_lists_of_its_own_length_else_the_longest(suffix, length):
    metric = OwnMetric.of(f"{__name__}:length_of_lists{suffix}", 20)
    assert metric == OwnMetric(f"length_of_lists{suffix}", length_of_lists, length)
    found = metric.per_user(torch.zeros(1, 20, dtype=torch.int64), csr_matrix([[1.0]]))
    assert found.tolist() == [length]


def test_a_user_without_targets_has_no_value():
    targets = csr_matrix([[1.0, 1.0], [0.0, 0.0]])
    found = own(number_of_targets).per_user(torch.tensor([[0], [1]]), targets)
    np.testing.assert_array_equal(found, [2.0, np.nan])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}:__name__", "must name a class or a function, but .* is 'tests"),
        (f"{__name__}:nothing", "has no 'nothing'"),
        ("stranger:metric", "not told of; .* RECSPARSE_PLUGINS=stranger"),
    ],
)
def test_what_is_no_metric_is_refused(name, message):
    with pytest.raises(ConfigError, match=message):
        OwnMetric.of(name, 10)


def test_another_number_of_values_is_refused():
    metric = own(lambda *_: [1, 2, 3])
    with pytest.raises(InputError, match=r"one number for each of 2 users, but .* of \(3,\)"):
        metric.per_user(torch.tensor([[0], [1]]), csr_matrix((2, 2)))


def test_a_function_that_fails_is_named_with_its_error():
    def broken(recommended, targets):
        return 1 / 0

    message = r"^the metric own must take .* but raised ZeroDivisionError: division by zero; mend"
    with pytest.raises(InputError, match=message):
        own(broken).per_user(torch.tensor([[0]]), csr_matrix([[1.0]]))
