"""The figures of ir-measures, of lists and targets on the standard input."""

import json
import sys
from importlib.metadata import version

import ir_measures
from ir_measures import AP, RR, P, R, Success, nDCG


def main() -> None:
    """Print them as JSON."""
    given = json.load(sys.stdin)
    k, lists = given["k"], given["lists"]
    run = {user: dict(best) for user, best in lists.items()}
    graded = {
        user: {item: int(r) for item, r in row.items()} for user, row in given["targets"].items()
    }
    binary = {user: dict.fromkeys(row, 1) for user, row in graded.items()}
    peers = {"ndcg": nDCG, "recall": R, "precision": P, "map": AP, "mrr": RR, "hit_rate": Success}
    measures = {str(peer @ k): (name, peer @ k) for name, peer in peers.items()}
    found = ir_measures.calc_aggregate([each for _, each in measures.values()], binary, run)
    figures = [
        {"metric": name, "call": call, "value": found[each]}
        for call, (name, each) in measures.items()
    ]
    (value,) = ir_measures.calc_aggregate([nDCG @ k], graded, run).values()
    figures.append({"metric": "ndcg_linear", "call": f"nDCG@{k}, of ratings", "value": value})
    shown = {"library": "ir-measures", "version": version("ir-measures"), "figures": figures}
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
