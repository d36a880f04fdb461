"""What an evaluation records in runs: figures and tags, under one name each."""

from dataclasses import asdict

from recsparse.datasets.evaluated.part_counts import PartCounts
from recsparse.evaluation.ranking_result import RankingResult


def catalogue_tag(result: RankingResult) -> dict[str, str]:
    """Return which items were ranked for a run.

    Args:
        result: Of one model.

    Returns:
        The tags `test_catalogue`, where it was chosen, and `test_sampled_negatives`, where targets
        were ranked among random items.
    """
    chosen = {} if result.catalogue is None else {"test_catalogue": str(result.catalogue)}
    sampled = result.sampled_negatives
    return chosen | ({} if sampled is None else {"test_sampled_negatives": str(sampled)})


def figure_prefix(result: RankingResult) -> str:
    """Return what names of figures start with in a run.

    Args:
        result: Of one model.

    Returns:
        `test_`; `test_sampled_100_` where targets were ranked among 100 random items, whose figures
        must not pass for those of a whole catalogue.
    """
    sampled = result.sampled_negatives
    return "test_" if sampled is None else f"test_sampled_{sampled}_"


def run_figures(result: RankingResult, prefix: str = "test_") -> dict[str, float]:
    """Return the figures of one model on the test part for its run, all under one name each.

    Args:
        result: Of the model.
        prefix: What their names start with.

    Returns:
        Means, coverage and counts, as in `test_ndcg@10`; means of a group of users as in
        `test_new_users_ndcg@10`.
    """
    figures = {**result.mean(), **result.coverage}
    for group, some in result.groups().items():
        key = group.replace(" ", "_")
        figures |= {f"{key}_{name}": value for name, value in some.mean().items()}
    if result.part is not None:
        figures["unknown_items"] = result.unknown_items
        figures["rows_of_unknown_items"] = result.rows_of_unknown_items
    figures = {f"{prefix}{name}": value for name, value in figures.items()}
    return figures | part_figures(result.part)


def part_figures(part: PartCounts | None) -> dict[str, float]:
    """Return what was counted of the test part for a run.

    Args:
        part: The counts; None where it was not counted.

    Returns:
        Counts by name, as in `test_unseen_users`.
    """
    counts = {} if part is None else asdict(part)
    return {f"test_{name}": float(count) for name, count in counts.items()}
