import pytest

from recsparse.config.metric_names import ACCURACY, AUC, BEYOND_ACCURACY
from recsparse.metrics.definitions import DEFINITIONS, definition
from recsparse.metrics.item_metrics import OF_ITEMS
from recsparse.metrics.ranking_metrics import BY_TARGETS
from recsparse.metrics.rating_metrics import RATING_FORMULAS


def test_every_metric_has_a_definition_and_every_definition_a_metric():
    at_lengths = {f"{name}@k" for name in (*ACCURACY, *BEYOND_ACCURACY)}
    assert set(DEFINITIONS) == {*at_lengths, AUC, *RATING_FORMULAS}
    assert all(each.formula and each.source for each in DEFINITIONS.values())


def test_what_a_configuration_may_name_is_what_can_be_measured():
    assert set(ACCURACY) == set(BY_TARGETS)
    of_all = {"coverage", "user_coverage", "gini", "entropy"}
    assert {*BEYOND_ACCURACY} == {*OF_ITEMS} | of_all


@pytest.mark.parametrize(
    ("metric", "better"),
    [("ndcg@7", "higher"), ("calibration@7", "lower"), ("rmse", "lower"), ("arp@1", "neither")],
)
def test_which_of_two_values_is_better(metric, better):
    assert definition(metric).better == better


def test_a_metric_of_users_own_has_no_definition():
    assert definition("my_metric@10") is None
