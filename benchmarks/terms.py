"""Whether a bag of words is a line: terms on a learned order, convolutions along it.

`python -m benchmarks.terms [--seeds 5] [--out terms]`

The grid of items × terms of citeulike-t gets its terms side by side that occur in the same items,
so that a window along them takes in words of like meaning. Each bag is convolved, and items without
a history are ranked by the cosine of the convolved bags to those of a user's history, under the
protocol of `benchmarks.cold`. A window is compared with the same on a random order and with none;
it writes either to the active cells alone (submanifold) or to their neighbours, too, which adds
words to an item. What a neighbour counts is chosen on validation items; the test is read once.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from rich.console import Console
from scipy.sparse import csr_matrix

from benchmarks.protocols.cold_items import METRICS, dataset, rank_new
from benchmarks.protocols.differences import differences
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.orders.fit_order import Activity, OrderKind, fit_order
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.grids.bag_tensor import bags_to_tensor, tensor_to_bags
from recsparse.layers.conv import SubmanifoldConv1d
from recsparse.layers.strided import SparseConv1d
from recsparse.models.protocol.features import Features, unit_rows

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
console = Console()


@dataclass(frozen=True)
class Variant:
    """A convolution along the terms.

    Attributes:
        order: Of the terms.
        window: Terms that it sees; 1 leaves the bags as they are.
        adds_words: Whether it writes to cells that were empty, too.
    """

    order: OrderKind = "spectral"
    window: int = 3
    adds_words: bool = False


VARIANTS = {
    "no window": Variant(window=1),
    "window of 3, learned order": Variant(),
    "window of 3, random order": Variant("random"),
    "window of 9, learned order": Variant(window=9),
    "window of 9, random order": Variant("random", window=9),
    "window of 3 that adds words, learned order": Variant(adds_words=True),
    "window of 3 that adds words, random order": Variant("random", adds_words=True),
    "window of 9 that adds words, learned order": Variant(window=9, adds_words=True),
    "window of 9 that adds words, random order": Variant("random", window=9, adds_words=True),
}


def run(
    seeds: Annotated[int, typer.Option(help="Number of splits.", min=1)] = 5,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("terms"),
) -> None:
    """Measure all variants and show what each changes."""
    found: dict[str, dict[str, list[pd.Series]]] = {
        metric: {name: [] for name in VARIANTS} for metric in METRICS
    }
    for seed, name in itertools.product(range(seeds), VARIANTS):
        data = dataset(seed, "tfidf", out / f"seed-{seed}")
        share, result = measure(VARIANTS[name], data, seed)
        for metric in METRICS:
            found[metric][name].append(pd.Series(result.per_user[metric]))
        console.print(f"seed {seed}, {name}, share {share}: {result.mean()[METRICS[0]]:.4f}")
    for metric in METRICS:
        show_frame(f"citeulike-t, cold items, {metric}, {seeds} seeds", differences(found[metric]))


def measure(variant: Variant, data: Dataset, seed: int) -> tuple[float, RankingResult]:
    """Choose what a neighbour counts on the validation items, then rank the test items.

    Args:
        variant: The convolution.
        data: The dataset.
        seed: Of the order.

    Returns:
        What a neighbour counts, and the metrics per user.
    """
    assert data.item_side.bags is not None
    known = data.item_side.bags[: len(data.items)]
    index = order_of_terms(known, variant.order, seed)

    def quality(share: float) -> float:
        return rank(variant, share, data, "validation", index).mean()[METRICS[0]]

    best = max(SHARES, key=quality) if variant.window > 1 else 0.0
    return best, rank(variant, best, data, "test", index)


def order_of_terms(bags: csr_matrix, kind: OrderKind, seed: int) -> np.ndarray:
    """Return the terms in the order of their axis.

    Args:
        bags: Items × terms, those of training.
        kind: The order.
        seed: Of its random choices.

    Returns:
        One term a place.
    """
    by_term = bags.T.tocsr()
    weight = np.asarray(by_term.sum(axis=1), dtype=np.float64).ravel()
    activity = Activity(weight, np.full(len(weight), np.nan))
    return fit_order(kind, activity, lambda: by_term, seed).index


def rank(
    variant: Variant, share: float, data: Dataset, name: str, index: np.ndarray
) -> RankingResult:
    """Rank the cold items of a part by the cosines of convolved bags.

    Args:
        variant: The convolution.
        share: What a neighbour counts; the term itself counts 1.
        data: The dataset.
        name: `validation` or `test`.
        index: The terms in order.

    Returns:
        Metrics per user.
    """
    assert data.item_side.bags is not None
    bags = convolved(variant, share, data.item_side.bags[:, index])
    profiles, cold = bags[: len(data.items)], bags[len(data.items) :]

    def score(history: csr_matrix, _: Features) -> torch.Tensor:
        return torch.from_numpy((history @ profiles @ cold.T).toarray())

    return rank_new(data, name, score)


def convolved(variant: Variant, share: float, bags: csr_matrix) -> csr_matrix:
    """Convolve bags along their terms.

    Args:
        variant: The convolution.
        share: What a neighbour counts.
        bags: Documents × terms, in the order of the axis.

    Returns:
        Bags of norm 1.
    """
    width = variant.window
    layer = (
        SparseConv1d(1, 1, width, padding=width // 2, bias=False)
        if variant.adds_words
        else SubmanifoldConv1d(1, 1, width, bias=False)
    )
    with torch.inference_mode():
        layer.weight.fill_(share)
        layer.weight[..., width // 2] = 1.0
        return unit_rows(tensor_to_bags(layer(bags_to_tensor(bags.sorted_indices()))), 0.5)


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
