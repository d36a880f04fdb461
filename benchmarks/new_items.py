"""How well items without a training row are ranked, alone and in one list with the known ones.

`python -m benchmarks.new_items [--seeds 3] [--out new-items]`

Papers of citeulike-t, of which 20 % are held out of training for the test and 10 % for validation,
by `prepare`, `train` and `evaluate` alone. In the split "alone" the test items are ranked among
themselves, and 5 % of each user's other rows are for the test and as many for validation; in the
split "in one list" 20 % are, and all items are ranked together. The data is read from the folder
in `RECSPARSE_DATA`.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from scipy.stats import ttest_rel

from benchmarks.measuring.public_data import public_path
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.evaluated.whole_part import whole_part
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.models.content.new_items import base_of
from recsparse.scoring.model_folder import load_model
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.rank_part import evaluate_part
from recsparse.stages.train import train

METRICS = ("ndcg@10", "recall@100")
MEASURED = [f"evaluation.metrics={[*METRICS]}"]
WORDS = ["text.columns=['text']", "text.max_words=20000", "text.min_documents=1"]
FEATURES: Mapping[str, list[str]] = {
    "words": WORDS,
    "words and tags": [*WORDS, "features.categories=['tags']"],
}
MODELS: Mapping[str, list[str]] = {"text_tower": ["model.kind=text_tower"], "default": []}
ALONE, IN_ONE_LIST = 0.05, 0.2


def run(
    seeds: Annotated[int, typer.Option(help="Number of splits.", min=1)] = 3,
    first: Annotated[int, typer.Option(help="Seed of the first split.", min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("new-items"),
) -> None:
    """Measure on several splits, and show means, standard errors and paired differences."""
    alone: dict[tuple[str, str], list[RankingResult]] = {}
    together: list[dict[str, RankingResult]] = []
    for seed in range(first, first + seeds):
        for (features, settings), model in itertools.product(FEATURES.items(), MODELS):
            if model == "default" and features != "words":
                continue
            found = measure_alone(settings, model, seed, out / f"seed-{seed}" / features)
            alone.setdefault((model, features), []).append(found)
        together.append(measure_in_one_list(seed, out / f"seed-{seed}"))
    show_alone(alone)
    show_in_one_list(together)


def dataset(settings: list[str], seed: int, known_targets: float, folder: Path) -> Path:
    """Prepare the data, unless it has been.

    Args:
        settings: What is read of the items.
        seed: Of the held out items.
        known_targets: Share of each user's other rows that are for a part.
        folder: Where to.

    Returns:
        The dataset folder.
    """
    if not folder.exists():
        log, items = (
            public_path(f"citeulike-t/{name}.parquet") for name in ("interactions", "items")
        )
        split = ["split.kind=held_out_items", "split.test=0.2", "split.validation=0.1"]
        overrides = [*split, f"split.known_targets={known_targets}", f"seed={seed}", *settings]
        prepare(Sources(logs=log, items=items), folder, config=load_config(overrides=overrides))
    return folder


def trained(data: Path, model: str, seed: int) -> Path:
    """Train a model, unless it has been.

    Args:
        data: The dataset folder.
        model: Its name here.
        seed: Of the training.

    Returns:
        The model folder.
    """
    folder = data.with_name(f"{data.name}-{model}")
    if not folder.exists():
        train(data, folder, load_config(overrides=[f"seed={seed}", *MODELS[model]]))
    return folder


def measure_alone(settings: list[str], model: str, seed: int, folder: Path) -> RankingResult:
    """Rank the held out items of the test among themselves.

    Args:
        settings: What is read of the items.
        model: Name of the model.
        seed: Of the split and the training.
        folder: For the dataset and the model.

    Returns:
        Metrics a user.
    """
    data = dataset(settings, seed, ALONE, folder / "alone")
    config = load_config(overrides=["evaluation.catalogue=new", *MEASURED])
    (found,) = evaluate([trained(data, model, seed)], data, config=config).results.values()
    return found


def measure_in_one_list(seed: int, folder: Path) -> dict[str, RankingResult]:
    """Rank all items in one list, with the new ones and without them.

    Args:
        seed: Of the split and the training.
        folder: For the dataset and the model.

    Returns:
        Metrics a user, of all targets and of those that are known items.
    """
    data = dataset(WORDS, seed, IN_ONE_LIST, folder / "together")
    model = load_model(trained(data, "default", seed))
    part = whole_part(load_dataset(data), "test")
    base = base_of(model.model)
    known = Vocabulary(model.items.ids[: base.num_items])
    parts = {"all": part, "known": part.of_targets(known.index_of(part.items.ids) >= 0)}
    found = {}
    for name, targets in parts.items():
        for ending, ranker, items in (("", model.model, model.items), (" without", base, known)):
            lists, ranked = targets.by_catalogue(items), np.ones(len(items), dtype=bool)
            found[name + ending] = evaluate_part(ranker, lists, METRICS, 1024, candidates=ranked)
    return found


def show_alone(found: Mapping[tuple[str, str], list[RankingResult]]) -> None:
    """Show how well new items are ranked among themselves.

    Args:
        found: Metrics of each model and its features, a split each.
    """
    words = found["text_tower", "words"]
    rows = []
    for (model, features), results in found.items():
        row: dict[str, Any] = {"model": model, "features": features}
        for metric in METRICS:
            row[metric] = _spread([result.mean()[metric] for result in results])
        tests = [_p(result, other) for result, other in zip(results, words, strict=True)]
        row["largest p against text_tower, words"] = "" if results is words else f"{max(tests):.1e}"
        rows.append(row)
    show_frame("new items among themselves", pd.DataFrame(rows))


def show_in_one_list(found: list[dict[str, RankingResult]]) -> None:
    """Show what new items gain and cost in one list with the known ones.

    Args:
        found: Metrics of all targets and of the known ones, with and without new items.
    """
    rows = []
    for targets, metric in itertools.product(("all", "known"), METRICS):
        means = [
            [each[name].mean()[metric] for each in found]
            for name in (f"{targets} without", targets)
        ]
        ratios = np.array(means[1]) / np.array(means[0])
        row = {"targets": targets, "metric": metric, "known items": _spread(means[0])}
        row |= {"all items": _spread(means[1]), "÷": _spread(list(ratios))}
        rows.append(row | {"lowest ÷": f"{ratios.min():.4f}"})
    show_frame("known and new items in one list, default model, words", pd.DataFrame(rows))


def _p(first: RankingResult, second: RankingResult) -> float:
    values = [result.per_user[METRICS[0]] for result in (first, second)]
    return 1.0 if first is second else float(ttest_rel(*values).pvalue)


def _spread(values: list[float]) -> str:
    error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{np.mean(values):.4f} ± {error:.4f}"


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
