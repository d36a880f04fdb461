"""How fast scores become metrics, next to NumPy with ir-measures and `torch.topk` alone.

`python -m benchmarks.ranking [--rounds 5] [--threads 1] [--out FILE]`

Random scores of all items for some users: items of the history are masked, the k best taken, ties
in a stated order, and six metrics computed for each user. The rival does the same with
`numpy.argpartition` and ir-measures (trec_eval). `torch.topk` of the same scores is the limit: it
masks nothing and computes no metric. The contenders take turns in one process; milliseconds are
medians, ratios medians of those of each round.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import ir_measures
import numpy as np
import torch
import typer
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy.sparse import csr_matrix, random_array

from benchmarks.measuring.turns import Out, Rounds, Threads, row_of, show_rows
from recsparse.evaluation.rank_catalogue import evaluate_ranking

OURS, RIVAL, LIMIT = "recsparse", "NumPy and ir-measures", "torch.topk alone"


@dataclass(frozen=True)
class Case:
    """What is ranked.

    Attributes:
        name: What it resembles.
        users: Number of users.
        items: Number of items.
        k: Length of the lists.
    """

    name: str
    users: int
    items: int
    k: int


CASES = (
    Case("MovieLens-1M", 4_000, 3_700, 10),
    Case("MovieLens-1M", 4_000, 3_700, 100),
    Case("Gowalla", 1_000, 41_000, 20),
)


@dataclass(frozen=True, eq=False)
class Ranked:
    """Scores of all items for some users, and what is known of these.

    Attributes:
        scores: Users × items.
        history: Items that are not recommended.
        targets: Items that should be.
        k: Length of the lists.
    """

    scores: torch.Tensor
    history: csr_matrix
    targets: csr_matrix
    k: int

    @classmethod
    def random(cls, case: Case, seed: int = 0) -> "Ranked":
        """Draw them.

        Args:
            case: The sizes.
            seed: Of everything.

        Returns:
            Histories of 100 items and 12 targets per user, on average.
        """
        rng = np.random.default_rng(seed)
        shape = case.users, case.items
        seen, wanted = (
            csr_matrix(random_array(shape, density=mean / case.items, rng=rng), dtype=np.float32)
            for mean in (100, 12)
        )
        scores = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        return cls(scores, seen, wanted, case.k)


def ours(data: Ranked) -> dict[str, float]:
    """Evaluate with recsparse.

    Args:
        data: What is ranked.

    Returns:
        Mean of each metric.
    """
    users = len(data.scores)
    return evaluate_ranking(
        lambda _: data.scores, data.history, data.targets, [f"all@{data.k}"], users
    ).mean()


def rival(data: Ranked) -> dict[str, float]:
    """Evaluate with NumPy and ir-measures.

    Args:
        data: What is ranked.

    Returns:
        Mean of each metric.
    """
    scores = data.scores.numpy().copy()
    scores[data.history.nonzero()] = -np.inf
    best = np.argpartition(-scores, data.k, axis=1)[:, : data.k]
    values = np.take_along_axis(scores, best, axis=1)
    run = {
        str(user): dict(zip(map(str, items), row, strict=True))
        for user, (items, row) in enumerate(zip(best.tolist(), values.tolist(), strict=True))
    }
    starts, items = data.targets.indptr, data.targets.indices.tolist()
    wanted = {
        str(user): {str(item): 1 for item in items[start:end]}
        for user, (start, end) in enumerate(itertools.pairwise(starts))
        if end > start
    }
    peers = {"ndcg": nDCG, "recall": R, "precision": P, "map": AP, "mrr": RR, "hit_rate": Success}
    measures = {peer @ data.k: f"{name}@{data.k}" for name, peer in peers.items()}
    found = ir_measures.calc_aggregate([*measures], wanted, run)
    return {measures[measure]: value for measure, value in found.items()}


CONTENDERS: dict[str, Callable[[Ranked], object]] = {
    OURS: ours,
    RIVAL: rival,
    LIMIT: lambda data: data.scores.topk(data.k, dim=1),
}


def run(rounds: Rounds = 5, threads: Threads = 1, out: Out = None) -> None:
    """Measure all contenders and show the table."""
    torch.set_num_threads(threads)
    rows = [measure(case, rounds) for case in CASES]
    show_rows("From scores to metrics, milliseconds", rows, out)


def measure(case: Case, rounds: int) -> dict[str, object]:
    """Time the contenders in turns, after one turn each that is not timed.

    Args:
        case: The sizes.
        rounds: Turns of each.

    Returns:
        One row of the table.

    Raises:
        AssertionError: If ours and the rival's metrics differ.
    """
    data = Ranked.random(case)
    expected = rival(data)
    for name, value in ours(data).items():
        assert abs(value - expected[name]) < 1e-6, f"{name}: {value} and {expected[name]}"
    taken: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for turn in range(rounds + 1):
        for name, evaluate in CONTENDERS.items():
            started = time.perf_counter()
            evaluate(data)
            if turn:
                taken[name].append(1e3 * (time.perf_counter() - started))
    like = f"{case.name}, {case.users:,} × {case.items:,}, k = {case.k}"
    return row_of(like, taken, OURS)


if __name__ == "__main__":
    typer.run(run)
