"""How fast scores become metrics, next to NumPy with ir-measures and `torch.topk` alone.

`python -m benchmarks.ranking [--rounds 5] [--threads 1] [--users 100000] [--out FILE]`

Random scores of all items for some users: items of the history are masked, the k best taken, ties
in a stated order, and six metrics computed for each user. The rival does the same with
`numpy.argpartition` and ir-measures (trec_eval). `torch.topk` of the same scores is the limit: it
masks nothing and computes no metric. The contenders take turns in one process; milliseconds are
medians, ratios medians of those of each round.

Then nDCG, recall and MAP of a large part at several lengths, against `torch.topk` of the longest on
the same batches of scores: the two take turns at every batch, on batches that are no longer in the
processor's cache, and their wall and processor seconds are compared.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import ir_measures
import numpy as np
import torch
import typer
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy.sparse import csr_matrix, random_array

from benchmarks.measuring.turns import Out, Rounds, Threads, row_of, show_rows
from recsparse.evaluation.rank_catalogue import evaluate_ranking

LARGE_ITEMS, BATCH = 20_000, 1024
LENGTHS = ((5, 10, 20), (5, 10, 20, 50, 100))
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


@dataclass(eq=False)
class TakingTurns:
    """A model whose scores are there already, and `torch.topk` of the same, timed apart.

    Attributes:
        batches: Scores of as many users each; more than a cache holds.
        k: How many of the best are taken.
        wall: Seconds of `torch.topk`.
        processor: Its processor seconds, of all threads.
        turns: Batches done.
    """

    batches: Sequence[torch.Tensor]
    k: int
    wall: float = 0.0
    processor: float = 0.0
    turns: int = field(default=0)

    def score_batch(self, rows: csr_matrix) -> torch.Tensor:
        """Take the best of one batch, and return another.

        Args:
            rows: Histories; they say how many users there are.

        Returns:
            The scores of the batch whose turn it is; `torch.topk` gets the one behind it by half of
            them, so that both read their own from memory.
        """
        ours, other = self.turns, self.turns + len(self.batches) // 2
        wall, processor = time.perf_counter(), time.process_time()
        self.batches[other % len(self.batches)][: rows.shape[0]].topk(self.k, dim=1)
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        self.turns += 1
        return self.batches[ours % len(self.batches)][: rows.shape[0]]


def large_part(users: int, items: int, lengths: Sequence[int]) -> dict[str, object]:
    """Evaluate a large part, and take the best of each of its batches.

    Args:
        users: Number of users.
        items: Number of items.
        lengths: Of the lists; each has nDCG, recall and MAP.

    Returns:
        One row of the table.
    """
    rng = np.random.default_rng(0)
    shape = BATCH, items
    batches = [torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)) for _ in range(4)]
    history, targets = (_cells(rng, (users, items), mean) for mean in (100, 12))
    names = [f"{name}@{k}" for name in ("ndcg", "recall", "map") for k in lengths]
    warm = slice(min(users, 2 * BATCH))
    first = TakingTurns(batches, max(lengths))
    evaluate_ranking(first.score_batch, history[warm], targets[warm], names, BATCH)
    turns = TakingTurns(batches, max(lengths))
    wall, processor = time.perf_counter(), time.process_time()
    evaluate_ranking(turns.score_batch, history, targets, names, BATCH)
    wall = time.perf_counter() - wall - turns.wall
    processor = time.process_time() - processor - turns.processor
    return {
        "lists of": ", ".join(map(str, lengths)),
        "threads": torch.get_num_threads(),
        "recsparse, s": wall,
        "torch.topk alone, s": turns.wall,
        "wall ÷ torch.topk": wall / turns.wall,
        "processor ÷ torch.topk": processor / turns.processor,
    }


def _cells(rng: np.random.Generator, shape: tuple[int, int], mean: int) -> csr_matrix:
    row = np.repeat(np.arange(shape[0]), mean)
    cells = csr_matrix(
        (np.ones(len(row), np.float32), (row, rng.integers(0, shape[1], len(row)))), shape=shape
    )
    cells.sum_duplicates()
    return cells


CONTENDERS: dict[str, Callable[[Ranked], object]] = {
    OURS: ours,
    RIVAL: rival,
    LIMIT: lambda data: data.scores.topk(data.k, dim=1),
}


def run(
    rounds: Rounds = 5,
    threads: Threads = 1,
    users: Annotated[int, typer.Option(help="Users of the large part; 0 leaves it out.")] = 100_000,
    out: Out = None,
) -> None:
    """Measure all contenders and show the tables."""
    torch.set_num_threads(threads)
    rows = [measure(case, rounds) for case in CASES]
    show_rows("From scores to metrics, milliseconds", rows, out)
    large = [large_part(users, LARGE_ITEMS, lengths) for lengths in LENGTHS if users]
    if large:
        show_rows(f"{users:,} users × {LARGE_ITEMS:,} items", large, out, further=True)


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
