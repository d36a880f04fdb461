"""Which part of the networks helps, and where a sparse convolution does.

`python -m benchmarks.ablation [PROTOCOL …] [--seeds 5] [--first-seed 0] [--variants 'a;b']
[--out ablation]`

Each variant differs from the first of its protocol in one thing, is fitted with the same seeds, and
ranks the test part once; nothing is chosen. Differences are paired over the users of each seed.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from scipy.sparse import csr_matrix

from benchmarks.protocols.differences import differences
from benchmarks.protocols.protocols import PROTOCOLS, Protocol
from benchmarks.protocols.variants import ITEM_TABLES, VARIANTS, Variant
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.orders.fit_order import Activity, fit_order
from recsparse.datasets.parts import EvaluationPart
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.files.atomic import atomic_file
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.validation import Validation
from recsparse.models.registry import build_model
from recsparse.stages.item_features import item_features
from recsparse.training.fit import fit_model

console = Console()


def run(
    protocols: Annotated[list[str] | None, typer.Argument(help="Names; all without any.")] = None,
    seeds: Annotated[int, typer.Option(help="Number of splits or of seeds.", min=1)] = 5,
    first_seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    only: Annotated[
        str | None, typer.Option("--variants", help="The first and these, by `;`.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("ablation"),
) -> None:
    """Measure variants and show what each changes."""
    those = range(first_seed, first_seed + seeds)
    for name in protocols or VARIANTS:
        protocol, variants = protocol_of(name), chosen(VARIANTS[name], only)
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


def chosen(variants: Mapping[str, Variant], only: str | None) -> Mapping[str, Variant]:
    """Leave the first variant and those that are named.

    Args:
        variants: Variants by name.
        only: Names, by semicolons; None leaves all.

    Returns:
        Variants by name, the first one first.

    Raises:
        typer.BadParameter: If a name is that of no variant.
    """
    if only is None:
        return variants
    names = dict.fromkeys([next(iter(variants)), *only.split(";")])
    unknown = [name for name in names if name not in variants]
    if unknown:
        raise typer.BadParameter(f"--variants must name some of {[*variants]}, but has {unknown}")
    return {name: variants[name] for name in names}


def protocol_of(name: str) -> Protocol:
    """Return the protocol of some variants, with a table of items where they read one.

    Args:
        name: Of the variants.

    Returns:
        The split, and what is read.
    """
    if name not in ITEM_TABLES:
        return PROTOCOLS[name]
    table = ITEM_TABLES[name]
    protocol = PROTOCOLS[table.protocol]
    return replace(protocol, items=table.path, settings=(*protocol.settings, *table.settings))


def measure(variant: Variant, protocol: Protocol, data: Dataset, seed: int) -> RankingResult:
    """Fit a variant and rank the test part.

    Args:
        variant: The model, and what is done to its data.
        protocol: The protocol.
        data: Its dataset.
        seed: Of all that is random.

    Returns:
        Metrics per user.
    """
    config = protocol.config(seed, variant.model)
    view = View(data, variant, seed)
    part = view.part("validation")
    metric = protocol.metrics[0]

    def rank(model: Recommender, part: EvaluationPart) -> RankingResult:
        return evaluate_ranking(
            model.score_batch, part.history, part.targets, [metric], times=part.times
        )

    model = fit_model(
        build_model(config.model),
        view.columns(data.train_matrix()),
        FitContext(
            config.training,
            seed,
            times=view.times(data.train_times()),
            item_features=view.features(),
            validation=Validation(part.history, part.targets, part.times, metric),
        ),
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
        """Shuffle the times of each user, where the variant says so.

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

    def features(self) -> Features | None:
        """Return the features of the items, those of others where the variant shuffles them."""
        found = item_features(self.data)
        if found is None or not self.variant.shuffles_features:
            return found
        return found.rows(self.rng.permutation(found.num_ids))

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


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
