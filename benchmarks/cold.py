"""How well items without a history are ranked by their text, on citeulike-t.

`python -m benchmarks.cold [--seeds 3] [--out cold]`

Of all items 20 % are held out of training for the test and 10 % for validation; each user's held
out items are ranked among all held out ones of the part. Settings are chosen on the validation
items; the test is read once. The data is read from the folder in `RECSPARSE_DATA`.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from scipy.stats import ttest_rel

from benchmarks.protocols.cold_items import METRICS, dataset, rank_new
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.models.protocol.cold_scorer import ColdScorer
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.registry import build_model
from recsparse.stages.item_features import item_features
from recsparse.training.fit import fit_model

OURS = "text_tower"
# The weighting of words, the model, and what is tried of it.
CONTENDERS: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, tuple[Any, ...]]]] = {
    "tf-idf neighbours": ("tfidf", {"kind": "content_knn"}, {"word_exponent": (0.5, 0.75, 1.0)}),
    "BM25 neighbours": ("bm25", {"kind": "content_knn"}, {"word_exponent": (0.5, 1.0, 1.5)}),
    "text_ridge": (
        "tfidf",
        {"kind": "text_ridge", "ials": {"factors": 64, "unobserved_weight": 0.1}},
        {"ridge": (0.3, 3.0)},
    ),
    OURS: (
        "tfidf",
        {"kind": "text_tower"},
        {"cosine_weight": (0.0, 5.0, 10.0, 15.0, 20.0)},
    ),
}
console = Console()


def run(
    seeds: Annotated[int, typer.Option(help="Number of splits.", min=1)] = 3,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("cold"),
) -> None:
    """Measure all contenders and show mean, standard error and paired differences."""
    found: dict[str, list[RankingResult]] = {name: [] for name in CONTENDERS}
    for seed, name in itertools.product(range(seeds), CONTENDERS):
        found[name].append(measure(name, seed, out / f"seed-{seed}"))
    rows = []
    for name, results in found.items():
        row = {"model": name}
        for metric in METRICS:
            means = np.array([result.mean()[metric] for result in results])
            error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
            row[metric] = f"{means.mean():.4f} ± {error:.4f}"
            ratio = np.mean([result.mean()[metric] for result in found[OURS]]) / means.mean()
            row[f"{OURS}, {metric} ÷"] = f"{ratio:.3f}"
        tests = [
            ttest_rel(ours.per_user[METRICS[0]], theirs.per_user[METRICS[0]]).pvalue
            for ours, theirs in zip(found[OURS], results, strict=True)
        ]
        row["largest p"] = "" if name == OURS else f"{max(tests):.1e}"
        rows.append(row)
    show_frame(f"citeulike-t, cold items, {seeds} splits", pd.DataFrame(rows))


def measure(name: str, seed: int, folder: Path) -> RankingResult:
    """Choose a model's settings on the validation items, then rank the test items once.

    Args:
        name: Name of the contender.
        seed: Of the split and of the model.
        folder: For the log and the datasets.

    Returns:
        Metrics per user.
    """
    weighting, base, space = CONTENDERS[name]
    data = dataset(seed, weighting, folder)
    best: tuple[float, Recommender] | None = None
    model: Recommender | None = None
    for values in itertools.product(*space.values()):
        settings = dict(zip(space, values, strict=True))
        config = Config.model_validate({"seed": seed, "model": {**base, **settings}})
        same_fit = None if model is None else model.with_settings(config.model)
        model = same_fit or fit_model(
            build_model(config.model),
            data.train_matrix(),
            FitContext(
                config.training,
                seed,
                item_features=item_features(data),
            ),
        )
        quality = rank(model, data, "validation").mean()[METRICS[0]]
        console.print(f"seed {seed}, {name} {settings}: {quality:.4f}")
        if best is None or quality > best[0]:
            best = quality, model
    assert best is not None, f"the search space of {name} has no values"
    result = rank(best[1], data, "test")
    console.print(f"seed {seed}, {name}: test {[round(result.mean()[m], 4) for m in METRICS]}")
    return result


def rank(model: Recommender, data: Dataset, name: str) -> RankingResult:
    """Rank the cold items of a part among themselves.

    Args:
        model: A fitted model that scores by features.
        data: The dataset.
        name: `validation` or `test`.

    Returns:
        Metrics per user.
    """
    assert isinstance(model, ColdScorer)
    return rank_new(data, name, lambda history, new: model.score_cold(history, None, new))


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
