import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.errors import ConfigError, InputError
from recsparse.metrics.own_metrics import measured, own_metrics


def number_of_targets(recommended, targets):
    return np.diff(targets.indptr)


def test_a_function_is_known_by_its_own_name():
    name = f"{__name__}:number_of_targets"
    assert own_metrics([name]) == {"number_of_targets": number_of_targets}
    assert own_metrics([]) == {}


def test_a_user_without_targets_has_no_value():
    targets = csr_matrix([[1.0, 1.0], [0.0, 0.0]])
    found = measured({"number": number_of_targets}, torch.tensor([[0], [1]]), targets)
    np.testing.assert_array_equal(found["number"], [2.0, np.nan])


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ([f"{__name__}:np"], InputError, "must be functions of different names, but got"),
        ([f"{__name__}:measured", f"{__name__}:measured"], InputError, "of different names"),
        (["stranger:metric"], ConfigError, "not told of; .* RECSPARSE_PLUGINS=stranger"),
    ],
)
def test_what_is_no_metric_is_refused(names, error, message):
    with pytest.raises(error, match=message):
        own_metrics(names)


def test_another_number_of_values_is_refused():
    with pytest.raises(InputError, match=r"one number for each of 2 users, but .* of \(3,\)"):
        measured({"own": lambda *_: [1, 2, 3]}, torch.tensor([[0], [1]]), csr_matrix((2, 2)))


def test_a_function_that_fails_is_named_with_its_error():
    def broken(recommended, targets):
        return 1 / 0

    message = (
        r"^the metric broken must take .* but raised ZeroDivisionError: division by zero; mend"
    )
    with pytest.raises(InputError, match=message):
        measured({"broken": broken}, torch.tensor([[0]]), csr_matrix([[1.0]]))
