"""The figures of RecBole, of lists and targets on the standard input."""

import json
import sys
from importlib.metadata import version

import numpy as np
import torch

# Names that NumPy 1.24 took away, and RecBole 1.2.1 reads when it is imported.
vars(np).update(float=float, int=int, bool=bool, object=object, str=str)

from recbole.evaluator.collector import DataStruct  # noqa: E402
from recbole.evaluator.metrics import MAP, MRR, NDCG, Hit, Precision, Recall  # noqa: E402


class Settings(dict[str, object]):
    """What the metrics read of RecBole's configuration."""


def main() -> None:
    """Print them as JSON."""
    given = json.load(sys.stdin)
    k = given["k"]
    rows = []
    for user, best in given["lists"].items():
        wanted = given["targets"][user]
        hits = [int(item in wanted) for item, _ in best[:k]]
        rows.append([*hits, *[0] * (k - len(hits)), len(wanted)])
    struct = DataStruct()
    struct.set("rec.topk", torch.tensor(rows))
    settings = Settings(topk=[k], metric_decimal_place=10)
    peers = {
        "ndcg": NDCG,
        "recall": Recall,
        "precision": Precision,
        "map": MAP,
        "mrr": MRR,
        "hit_rate": Hit,
    }
    figures = []
    for name, peer in peers.items():
        (value,) = peer(settings).calculate_metric(struct).values()
        figures.append({"metric": name, "call": f"{peer.__name__}@{k}", "value": float(value)})
    print(json.dumps({"library": "RecBole", "version": version("recbole"), "figures": figures}))


if __name__ == "__main__":
    main()
