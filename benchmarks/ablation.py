"""Which part of the networks helps, and where a sparse convolution does.

`python -m benchmarks.ablation [PROTOCOL …] [--seeds 5] [--first-seed 0] [--out ablation]`

Each variant differs from the first of its protocol in one thing, is fitted with the same seeds, and
ranks the test part once; nothing is chosen. Differences are paired over the users of each seed.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from scipy.sparse import csr_matrix
from scipy.stats import ttest_rel

from benchmarks.protocols import PROTOCOLS, Protocol
from recsparse.atomic import atomic_file
from recsparse.cli.terminal import show_frame
from recsparse.datasets.bags import bags_to_tensor
from recsparse.datasets.dataset import Dataset, EvaluationPart
from recsparse.datasets.ordering import Activity, OrderKind, fit_order
from recsparse.evaluation.evaluate import RankingResult, evaluate_ranking
from recsparse.models.base import Recommender
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model
from recsparse.training.plan import FitPlan

console = Console()


@dataclass(frozen=True)
class Variant:
    """A model, and what is done to its data.

    Attributes:
        model: The section `model`.
        item_order: The order of the items on their axis; None leaves them as they are, by id.
        shuffles_time: Give each user's events their times in a random order.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    item_order: OrderKind | None = None
    shuffles_time: bool = False


_GRID = {"kind": "sparse_grid", "linear": None, "cell_dropout": 0.3, "regularisation": 0.01}
_WINDOW = {**_GRID, "window_blocks": 1, "window": 3}
_ON_THE_GRID = {
    "ridge pooling, network": Variant(_GRID),
    "mean pooling": Variant({**_GRID, "pooling": "mean"}),
    "attention pooling": Variant({**_GRID, "pooling": "attention"}),
    "kernel of the whole row": Variant({**_GRID, "axis_blocks": 1}),
    "window of 3 items, spectral order": Variant(_WINDOW, "spectral"),
    "window of 3 items, random order": Variant(_WINDOW, "random"),
    "window of 9 items, spectral order": Variant({**_WINDOW, "window": 9}, "spectral"),
    "window of 9 items, random order": Variant({**_WINDOW, "window": 9}, "random"),
    "linear term": Variant({**_GRID, "linear": {"kind": "ease", "regularisation": 400.0}}),
    "text": Variant({**_GRID, "use_text": True}),
}


def _in_time(epochs: int, batch_users: int) -> dict[str, Variant]:
    training = {
        "epochs": epochs,
        "batch_users": batch_users,
        "learning_rate": 2e-3,
        "precision": "auto",
    }
    timeline = {"kind": "timeline", "dropout": 0.2, "training": training}
    return {
        "kernel of 3 events": Variant(timeline),
        "kernel of 1 event": Variant({**timeline, "kernel_size": 1}),
        "kernel of 3, shuffled times": Variant(timeline, shuffles_time=True),
        "kernel of 3, one block": Variant({**timeline, "blocks": 1}),
        "attention (SASRec)": Variant({**timeline, "kind": "sasrec"}),
        "kernel of 3, time between events": Variant({**timeline, "use_gaps": True}),
        "attention, time between events": Variant({**timeline, "kind": "sasrec", "use_gaps": True}),
    }


_ROWS = {"kind": "ease", "regularisation": 400.0}
_WINDOWS = {"kind": "ease", "regularisation": 120.0, "window_events": 32}
_BOTH = {"kind": "blend", "parts": [_ROWS, _WINDOWS]}
_LINEAR_IN_TIME = {
    "EASE of rows": Variant(_ROWS),
    "EASE of windows of 32 events": Variant(_WINDOWS),
    "the same, shuffled times": Variant(_WINDOWS, shuffles_time=True),
    "rows and windows, half each": Variant(_BOTH),
    "rows and windows, shuffled times": Variant(_BOTH, shuffles_time=True),
}
VARIANTS: Mapping[str, Mapping[str, Variant]] = {
    "ml100k-random": _ON_THE_GRID,
    "ml1m-held-out-users": _ON_THE_GRID,
    "ml100k-random-timed": _LINEAR_IN_TIME,
    "ml1m-random-timed": _LINEAR_IN_TIME,
    "ml1m-held-out-users-timed": _LINEAR_IN_TIME,
    "ml100k-last-out": _in_time(epochs=30, batch_users=32),
    # So few epochs that they can be afforded, the same for all.
    "ml1m-last-out": _in_time(epochs=6, batch_users=64),
}
# Text is a variant here, which the protocol itself does without.
ITEMS = {
    "ml100k-random": ("movielens-100k/items.parquet", "text.columns=['title']"),
    "ml1m-held-out-users": ("movielens-1m/items.parquet", "text.columns=['text']"),
}


def run(
    protocols: Annotated[list[str] | None, typer.Argument(help="Names; all without any.")] = None,
    seeds: Annotated[int, typer.Option(help="Number of splits or of seeds.", min=1)] = 5,
    first_seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("ablation"),
) -> None:
    """Measure all variants and show what each changes."""
    those = range(first_seed, first_seed + seeds)
    for name in protocols or VARIANTS:
        protocol, variants = with_items(PROTOCOLS[name], name), VARIANTS[name]
        found: dict[str, list[pd.Series]] = {variant: [] for variant in variants}
        for seed, variant in itertools.product(those, variants):
            folder = out / name / f"seed-{seed}"
            file = folder / f"{variant.replace(' ', '-')}.parquet"
            if not file.exists():
                data = protocol.dataset(seed, folder / "dataset")
                result = measure(variants[variant], protocol, data, seed)
                with atomic_file(file) as aside:
                    pd.DataFrame(dict(result.per_user)).to_parquet(aside)
            found[variant].append(pd.read_parquet(file)[protocol.metrics[0]])
            console.print(f"{name}, seed {seed}, {variant}: {found[variant][-1].mean():.4f}")
        show_frame(f"{name}, {protocol.metrics[0]}, {seeds} seeds", differences(found))


def with_items(protocol: Protocol, name: str) -> Protocol:
    """Return a protocol whose data has the text of the items.

    Args:
        protocol: The protocol.
        name: Its name.

    Returns:
        The same split, with text.
    """
    if name not in ITEMS:
        return protocol
    items, columns = ITEMS[name]
    return replace(protocol, items=items, settings=(*protocol.settings, columns))


def measure(variant: Variant, protocol: Protocol, data: Dataset, seed: int) -> RankingResult:
    """Fit a variant and rank the test part.

    Args:
        variant: The model, and what is done to its data.
        protocol: The protocol.
        data: Its dataset.
        seed: Of all that is random.

    Returns:
        Metrics a user.
    """
    config = protocol.config(seed, variant.model)
    view = View(data, variant, seed)
    validation = view.part("validation")
    metric, k = protocol.metrics[0], config.training.k

    def rank(model: Recommender, part: EvaluationPart) -> RankingResult:
        return evaluate_ranking(
            model.score_batch, part.history, part.targets, [k], times=part.times
        )

    bags = data.item_bags
    model = fit_model(
        build_model(config.model),
        view.columns(data.train_matrix()),
        FitPlan(config.training, seed),
        validate=lambda model: rank(model, validation).mean()[metric],
        item_words=None if bags is None else bags_to_tensor(bags),
        times=view.times(data.train_times()),
    )
    return rank(model, view.part("test"))


class View:
    """A dataset as a variant sees it.

    Args:
        data: The dataset.
        variant: Says what is done to it.
        seed: Of a random order.
    """

    def __init__(self, data: Dataset, variant: Variant, seed: int) -> None:
        self.data, self.variant = data, variant
        self.rng = np.random.default_rng(seed)
        self.index: np.ndarray | None = None
        if variant.item_order is not None:
            by_item = data.train_matrix().T.tocsr()
            weight = np.asarray(by_item.sum(axis=1), dtype=np.float64).ravel()
            activity = Activity(weight, np.full(len(weight), np.nan))
            self.index = fit_order(variant.item_order, activity, lambda: by_item, seed).index

    def columns(self, matrix: csr_matrix) -> csr_matrix:
        """Order the items of a matrix.

        Args:
            matrix: Users × items.

        Returns:
            The matrix with its columns in the variant's order.
        """
        return matrix if self.index is None else matrix[:, self.index].sorted_indices()

    def times(self, times: csr_matrix | None) -> csr_matrix | None:
        """Shuffle the times of each user, where the variant wants it.

        Args:
            times: Users × items.

        Returns:
            The times of the same cells.
        """
        if times is None or not self.variant.shuffles_time:
            return times
        shuffled = times.copy()
        for start, end in itertools.pairwise(times.indptr):
            shuffled.data[start:end] = self.rng.permutation(times.data[start:end])
        return shuffled

    def part(self, name: str) -> EvaluationPart:
        """Return the users of a part.

        Args:
            name: `validation` or `test`.

        Returns:
            Their histories and targets as the variant sees them.
        """
        part = self.data.evaluation_part(name)
        return EvaluationPart(
            part.user_ids,
            self.columns(part.history),
            self.columns(part.targets),
            self.times(part.times),
        )


def differences(found: Mapping[str, list[pd.Series]]) -> pd.DataFrame:
    """Compare each variant with the first.

    Args:
        found: The metric of each user, one series a seed.

    Returns:
        One row a variant: mean and standard error over the seeds, the same of the difference, and
        the seeds on which a paired t-test over the users calls it one (p < .01), by sign.
    """
    base = next(iter(found.values()))
    rows = []
    for variant, values in found.items():
        means = np.array([each.mean() for each in values])
        gaps = np.array([(own - other).mean() for own, other in zip(values, base, strict=True)])
        row: dict[str, Any] = {
            "variant": variant,
            "mean": _with_error(means).lstrip("+"),
            "difference": "",
        }
        if values is not base:
            tests = [
                ttest_rel(own, other, nan_policy="omit").pvalue < 0.01
                for own, other in zip(values, base, strict=True)
            ]
            better, worse = (int((tests & (sign * gaps > 0)).sum()) for sign in (1, -1))
            row |= {"difference": _with_error(gaps), "better": better, "worse": worse}
        rows.append(row)
    return pd.DataFrame(rows)


def _with_error(values: np.ndarray) -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{values.mean():+.4f} ± {error:.4f}"


if __name__ == "__main__":
    typer.run(run)
