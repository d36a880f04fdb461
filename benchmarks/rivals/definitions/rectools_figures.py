"""The figures of RecTools, of lists and targets on the standard input."""

import json
import sys
from importlib.metadata import version

import pandas as pd
from rectools import Columns
from rectools.metrics import MAP, MRR, NDCG, HitRate, Precision, Recall, calc_metrics


def main() -> None:
    """Print them as JSON."""
    given = json.load(sys.stdin)
    k = given["k"]
    rows = [
        (user, item, rank + 1)
        for user, best in given["lists"].items()
        for rank, (item, _) in enumerate(best)
    ]
    lists = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Rank])
    wanted = [(user, item, 1.0) for user, row in given["targets"].items() for item in row]
    targets = pd.DataFrame(wanted, columns=[Columns.User, Columns.Item, Columns.Weight])
    calls = {
        f"NDCG(k={k})": ("ndcg", NDCG(k=k)),
        f"NDCG(k={k}, divide_by_achievable=True)": ("ndcg", NDCG(k=k, divide_by_achievable=True)),
        f"Recall(k={k})": ("recall", Recall(k=k)),
        f"Precision(k={k})": ("precision", Precision(k=k)),
        f"MAP(k={k})": ("map", MAP(k=k)),
        f"MAP(k={k}, divide_by_k=True)": ("map", MAP(k=k, divide_by_k=True)),
        f"MRR(k={k})": ("mrr", MRR(k=k)),
        f"HitRate(k={k})": ("hit_rate", HitRate(k=k)),
    }
    found = calc_metrics({call: metric for call, (_, metric) in calls.items()}, lists, targets)
    figures = [
        {"metric": name, "call": call, "value": float(found[call])}
        for call, (name, _) in calls.items()
    ]
    print(json.dumps({"library": "RecTools", "version": version("rectools"), "figures": figures}))


if __name__ == "__main__":
    main()
