"""Slices and a bootstrap over many users, next to drawing the weights and one product in numpy.

python -m benchmarks.bootstrap --users 100000 --models 5 --draws 10000
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsparse.evaluation.bootstrap import bootstrap_sums
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.significance import significance_tables
from recsparse.evaluation.slices import Slice, slice_tables

_METRICS = ("ndcg@10", "recall@10", "map@10")
_DRAWS_AT_ONCE = 100
_NUM_SLICES = 20


def main() -> None:
    """Time both, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    results = _results(given.users, given.models)
    slices = _slices(given.users)
    table = np.column_stack([each for it in results.values() for each in it.per_user.values()])
    ours, numpys, fast, whole = [], [], [], []
    for _ in range(given.rounds):
        numpys.append(_seconds(lambda: _drawn_by_numpy(table, given.draws)))
        fast.append(_seconds(lambda: _drawn_by_table(table, given.draws)))
        ours.append(_seconds(lambda: _sliced_and_drawn(results, slices, table, given.draws)))
        if given.draws == 10_000:
            whole.append(_seconds(lambda: significance_tables(results, "model 0", _METRICS)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sizes = f"{given.users:,} users, {given.models} models, {len(_METRICS)} metrics"
    print(f"{sizes}, {given.draws:,} draws, {_NUM_SLICES} slices; seconds, best of {given.rounds}")
    print(f"numpy: Generator.poisson and one product   {min(numpys):8.2f}")
    print(f"numpy: weights from a table and one product {min(fast):7.2f}")
    print(f"slices and bootstrap                       {min(ours):8.2f}")
    print(f"ratio to the first                         {min(ours) / min(numpys):8.2f}")
    print(f"ratio to the second                        {min(ours) / min(fast):8.2f}")
    if whole:
        print(f"all of significance, randomisation too     {min(whole):8.2f}")
    print(f"peak memory of the process, GB             {memory:8.2f}")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _results(num_users: int, num_models: int) -> dict[str, RankingResult]:
    rng = np.random.default_rng(0)
    base = rng.random((len(_METRICS), num_users))
    return {
        f"model {number}": RankingResult(
            {
                name: np.clip(row + rng.normal(0, 0.1, num_users), 0, 1)
                for name, row in zip(_METRICS, base, strict=True)
            },
            {},
            num_users,
        )
        for number in range(num_models)
    }


def _slices(num_users: int) -> list[Slice]:
    place = np.random.default_rng(1).integers(0, _NUM_SLICES, num_users)
    return [Slice(f"slice {n}", "random", users=place == n) for n in range(_NUM_SLICES)]


def _sliced_and_drawn(
    results: dict[str, RankingResult],
    slices: list[Slice],
    table: NDArray[np.float64],
    draws: int,
) -> None:
    slice_tables(results, slices)
    bootstrap_sums(np.column_stack([table, np.ones(len(table))]), draws)


def _drawn_by_numpy(table: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    rng, shape = np.random.default_rng(0), (_DRAWS_AT_ONCE, len(table))
    times = range(-(-draws // _DRAWS_AT_ONCE))
    return np.concatenate([rng.poisson(1.0, shape) @ table for _ in times])


def _drawn_by_table(table: NDArray[np.float64], draws: int) -> NDArray[np.float32]:
    """Draw single-precision weights as fast as numpy can: 16 bits each, looked up."""
    rng, sums = np.random.default_rng(0), []
    weights = np.sort(rng.poisson(1.0, 1 << 16)).astype(np.float32)
    values = table.astype(np.float32)
    for _ in range(0, draws, _DRAWS_AT_ONCE):
        places = rng.integers(0, 1 << 16, (_DRAWS_AT_ONCE, len(table)), dtype=np.uint16)
        sums.append(weights[places] @ values)
    return np.concatenate(sums)


if __name__ == "__main__":
    main()
