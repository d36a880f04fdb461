from dataclasses import replace

from recsparse.evaluation.run_figures import catalogue_tag, part_figures, run_figures
from tests.evaluation.results import METRIC, PART, counted, result


def test_figures_of_a_run_have_names_of_their_own():
    figures = run_figures(counted([0.5, 0.0, 1.0], [False, True, True]))
    names = (METRIC, f"known_users_{METRIC}", f"new_users_{METRIC}", "coverage@10")
    assert [figures[f"test_{name}"] for name in names] == [0.5] * 4
    assert figures["test_rows_of_unknown_items"] == 4
    assert part_figures(PART).items() <= figures.items()
    assert part_figures(PART)["test_rows_of_unseen_users"] == 3
    assert part_figures(None) == {}
    assert run_figures(result([0.5])) == {
        f"test_{METRIC}": 0.5,
        "test_mrr@10": 0.25,
        "test_coverage@10": 0.5,
    }


def test_lists_are_counted_where_users_have_several():
    counts = replace(PART, evaluated_lists=1204)
    assert part_figures(counts)["test_evaluated_lists"] == 1204


def test_a_tag_says_which_items_were_ranked():
    assert catalogue_tag(replace(result([0.5]), catalogue="new")) == {"test_catalogue": "new"}
    assert catalogue_tag(result([0.5])) == {}
