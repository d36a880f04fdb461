"""The figures of LensKit, of lists and targets on the standard input."""

import json
import sys
from importlib.metadata import version

from lenskit.data import ItemList
from lenskit.metrics import NDCG, Hit, LogRankWeight, Precision, Recall, RecipRank
from lenskit.metrics.ranking import AveragePrecision


def main() -> None:
    """Print them as JSON."""
    given = json.load(sys.stdin)
    k = given["k"]
    calls = {
        f"NDCG(n={k})": ("ndcg", NDCG(n=k)),
        f"NDCG(n={k}, gain='rating')": ("ndcg_linear", NDCG(n=k, gain="rating")),
        f"NDCG(n={k}, weight=LogRankWeight(offset=1))": (
            "ndcg",
            NDCG(n=k, weight=LogRankWeight(offset=1)),
        ),
        f"AveragePrecision(n={k})": ("map", AveragePrecision(n=k)),
        f"Recall(n={k})": ("recall", Recall(n=k)),
        f"Precision(n={k})": ("precision", Precision(n=k)),
        f"RecipRank(n={k})": ("mrr", RecipRank(n=k)),
        f"Hit(n={k})": ("hit_rate", Hit(n=k)),
    }
    lists = {
        user: ItemList([item for item, _ in best], ordered=True)
        for user, best in given["lists"].items()
    }
    targets = {
        user: ItemList([*row], rating=[*row.values()]) for user, row in given["targets"].items()
    }
    figures = []
    for call, (name, metric) in calls.items():
        values = [metric.measure_list(lists[user], targets[user]) for user in lists]
        figures.append({"metric": name, "call": call, "value": sum(values) / len(values)})
    print(json.dumps({"library": "LensKit", "version": version("lenskit"), "figures": figures}))


if __name__ == "__main__":
    main()
