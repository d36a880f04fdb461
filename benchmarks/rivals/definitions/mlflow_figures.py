"""The figures of MLflow's own metrics, of lists and targets on the standard input."""

import json
import sys
from importlib.metadata import version

import mlflow.metrics
import pandas as pd


def main() -> None:
    """Print them as JSON."""
    given = json.load(sys.stdin)
    k = given["k"]
    users = list(given["lists"])
    lists = pd.Series([[item for item, _ in given["lists"][user]] for user in users])
    targets = pd.Series([list(given["targets"][user]) for user in users])
    figures = []
    for metric in ("ndcg", "recall", "precision"):
        measure = getattr(mlflow.metrics, f"{metric}_at_k")(k)
        scores = measure.eval_fn(lists, targets).scores
        value = sum(scores) / len(scores)
        figures.append({"metric": metric, "call": f"{metric}_at_k({k})", "value": value})
    print(json.dumps({"library": "MLflow", "version": version("mlflow"), "figures": figures}))


if __name__ == "__main__":
    main()
