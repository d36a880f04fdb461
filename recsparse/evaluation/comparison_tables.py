"""Tables of models side by side: their figures, what was counted, and one value per user."""

from collections.abc import Mapping

import pandas as pd

from recsparse.config.choices import Catalogue
from recsparse.datasets.evaluated.part_counts import PartCounts
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.metrics.sampled_negatives import BIAS

_RANKED: Mapping[Catalogue | None, str] = {
    "known": "known items",
    "all": "all items",
    "common": "items that every model knows",
    "new": "items without training rows among themselves",
    None: "full catalogue",
}


def compared_on(result: RankingResult) -> str:
    """Return what models were compared on, for the caption of a table.

    Args:
        result: Of one of them.

    Returns:
        The part and the items that were ranked, as in `test part, known items`, and the bias of
        sampled ones.
    """
    sampled = result.sampled_negatives
    bias = "" if sampled is None else f"; {BIAS.format(number=sampled)}"
    return f"test part, {_RANKED[result.catalogue]}{bias}"


def comparison_table(results: Mapping[str, RankingResult]) -> pd.DataFrame:
    """Return the users, the mean of every metric with its standard error, and the coverage.

    Args:
        results: One result a model.

    Returns:
        One row per model; columns `users` (those with targets), `ndcg@10`, `ndcg@10 ±` and so on;
        at the end, where a part was counted, `unknown items`: targets that the model does not know,
        each a miss, and `rows of unknown items`.
    """
    rows = {}
    for model, result in results.items():
        error = result.standard_error()
        columns: dict[str, float] = {"users": result.num_users}
        for name, mean in result.mean().items():
            columns[name] = mean
            if name in error:
                columns[f"{name} ±"] = error[name]
        columns |= result.coverage
        if result.part is not None:
            columns["unknown items"] = result.unknown_items
            columns["rows of unknown items"] = result.rows_of_unknown_items
        rows[model] = columns
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def group_tables(results: Mapping[str, RankingResult]) -> dict[str, pd.DataFrame]:
    """Return the comparison of the users with training rows, and of those without, apart.

    Args:
        results: One result a model, all on the same users.

    Returns:
        Tables as of `comparison_table`, by the name of the group; empty where all users are of one.
    """
    groups = {model: result.groups() for model, result in results.items()}
    names = next(iter(groups.values()), {})
    return {
        name: comparison_table({model: groups[model][name] for model in groups}) for name in names
    }


def counts_table(part: PartCounts) -> pd.DataFrame:
    """Return how many users and rows training knows, and how many are evaluated.

    Args:
        part: The counts.

    Returns:
        Columns `users` and `rows`, one line each for the whole part, what training does not know
        of it, and what is evaluated, with the number of lists where it is not that of the users.
    """
    several = part.evaluated_lists != part.evaluated_users
    evaluated = f"evaluated by {part.evaluated_lists:,} lists" if several else "evaluated"
    lines = {
        "test part": (part.users, part.rows),
        "users without training rows": (part.unseen_users, part.rows_of_unseen_users),
        f"{part.unseen_items:,} items without training rows": (
            part.users_of_unseen_items,
            part.rows_of_unseen_items,
        ),
        evaluated: (part.evaluated_users, part.evaluated_rows),
        "evaluated without a history before the part": (
            part.users_without_history,
            part.rows_of_users_without_history,
        ),
    }
    columns = ["users", "rows"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("counted")


def per_user_table(results: Mapping[str, RankingResult]) -> pd.DataFrame:
    """Return the metrics of each user.

    Args:
        results: One result a model, all on the same users.

    Returns:
        One row per model and user: `model`, `user_index` (which counts the users of the part from
        0), `user_id`, `history_length` (items known before the part) and `is_new` (without training
        rows), where they are known, and one column a metric, NaN for users without targets.
    """
    tables = []
    for model, result in results.items():
        of_users = pd.DataFrame(result.per_user)
        table = pd.DataFrame({"model": model, "user_index": range(len(of_users))})
        if result.user_ids is not None:
            table["user_id"] = result.user_ids.to_pandas()
        if result.history_lengths is not None:
            table["history_length"] = result.history_lengths
        if result.is_new is not None:
            table["is_new"] = result.is_new
        tables.append(pd.concat([table, of_users], axis=1))
    return pd.concat(tables, ignore_index=True)
