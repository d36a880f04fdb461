"""Which features of the items help, and whether it is what they say that helps.

`python -m benchmarks.features [DATA …] [--seeds 3] [--situation warm] [--small] [--out features]`

Warm items have histories: the timeline of the default blend ranks each user's last item where there
are times, BPR random rows where there are none; `--small` takes a timeline of 32 channels, the last
50 events and 12 epochs. Cold items, a fifth of all, have no training row
and are ranked among themselves by `text_tower`, and by how many features each has. The control has
the same features, shuffled among the items by the seed. Nothing is chosen. The data is read from
the folder in `RECSPARSE_DATA`.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
import typer
from rich.console import Console
from scipy.sparse import csr_matrix
from scipy.stats import ttest_rel
from torch import Tensor

from benchmarks.measuring.public_data import public_path
from benchmarks.protocols.cold_items import rank_new
from benchmarks.protocols.featured_logs import FEATURED_LOGS, FeaturedLog, log_of
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.config import Config
from recsparse.config.feature_section import FeatureNames
from recsparse.config.models import PartConfig
from recsparse.config.network_models import BPRConfig, TextTowerConfig
from recsparse.config.toml_reader import load_config
from recsparse.config.training import TrainingConfig
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.features.groups import groups_of
from recsparse.datasets.fit_rows import rows_to_fit
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.files.atomic import atomic_file
from recsparse.models.blend.default_parts import default_parts
from recsparse.models.protocol.cold_scorer import ColdScorer
from recsparse.models.protocol.features import Features
from recsparse.stages.fit_on_dataset import fit_context, fit_on
from recsparse.stages.prepare import prepare

METRIC = "ndcg@10"
NONE, HOW_MANY, ALL, SHUFFLED = "none", "how many", "all", "all, shuffled"
Situation = Literal["warm", "cold"]
Found = Mapping[Situation, Mapping[str, list[pd.Series]]]
_COLD = ("split.kind=held_out_items", "split.test=0.2", "split.known_targets=0.05")
_SMALL = {
    "channels": 32,
    "most_events": 50,
    "training": TrainingConfig(epochs=12, batch_users=64, learning_rate=4e-3, device="cpu"),
}
console = Console()


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Data; all without any.")] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1)] = 3,
    situation: Annotated[str | None, typer.Option(help="warm or cold; both without.")] = None,
    small: Annotated[bool, typer.Option("--small", help="A small timeline.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("features"),
) -> None:
    """Measure sets of features and show what each is worth."""
    for name in names or FEATURED_LOGS:
        log, found = log_of(name), dict[Situation, dict[str, list[pd.Series]]]()
        for where in situations(log, situation):
            sets = feature_sets(log, where)
            found[where] = {features: [] for features in sets}
            for seed, features in itertools.product(range(seeds), sets):
                folder = out / name / where / f"seed-{seed}"
                file = folder / f"{features.replace(', ', '-')}.parquet"
                if not file.exists():
                    data = dataset(name, where, seed, folder / "dataset")
                    reader = TextTowerConfig() if where == "cold" else warm_model(data, small)
                    shuffles = features == SHUFFLED
                    figures = measure(reader, sets[features], data, where, seed, shuffles)
                    with atomic_file(file) as aside:
                        figures.to_frame(METRIC).to_parquet(aside)
                found[where][features].append(pd.read_parquet(file)[METRIC])
                mean = found[where][features][-1].mean()
                console.print(f"{name}, {where}, seed {seed}, {features}: {mean:.4f}")
        show_frame(f"{name}, {METRIC}, {seeds} seeds", table(found))


def situations(log: FeaturedLog, only: str | None) -> list[Situation]:
    """Return the situations in which a log's features are measured.

    Args:
        log: The log.
        only: One of them; None for all.

    Returns:
        `warm`, and `cold` where items without rows have features.

    Raises:
        typer.BadParameter: If there is no such situation.
    """
    found: list[Situation] = ["warm", "cold"] if log.has_items else ["warm"]
    kept = [each for each in found if only in (None, each)]
    if not kept:
        raise typer.BadParameter(f"--situation must be one of {found}, but is {only!r}")
    return kept


def feature_sets(log: FeaturedLog, situation: Situation) -> Mapping[str, FeatureNames]:
    """Return the sets of features that are compared, the control last.

    Args:
        log: Has the features.
        situation: A model of cold items cannot be without: these are ranked by how many they have.

    Returns:
        For `model.features`: none, each alone where there are several, all, all for the control.
    """
    none: dict[str, FeatureNames] = {NONE if situation == "warm" else HOW_MANY: ()}
    single = log.groups if len(log.groups) > 1 else {}
    alone: dict[str, FeatureNames] = {shown: (group,) for shown, group in single.items()}
    groups = tuple(log.groups.values())
    return {**none, **alone, ALL: groups, SHUFFLED: groups}


def dataset(name: str, situation: Situation, seed: int, folder: Path) -> Dataset:
    """Prepare the data, unless it has been.

    Args:
        name: Of the data.
        situation: Says how it is split.
        seed: Of the split.
        folder: The dataset folder.

    Returns:
        The dataset.
    """
    if not folder.exists():
        log = log_of(name)
        warm = ("split.kind=leave_last_out",) if log.has_times else ()
        split = warm if situation == "warm" else _COLD
        items = public_path(f"{name}/items.parquet") if log.has_items else None
        config = load_config(overrides=[*split, *log.settings, f"seed={seed}"])
        prepare(Sources(public_path(f"{name}/{log.log}"), items=items), folder, config=config)
    return load_dataset(folder)


def measure(
    reader: PartConfig,
    names: FeatureNames,
    data: Dataset,
    situation: Situation,
    seed: int,
    shuffles: bool,
) -> pd.Series:
    """Fit a model that reads some features, and rank the test part once.

    Args:
        reader: The model.
        names: Of the features that it reads; of none, cold items are ranked by how many they have.
        data: The dataset.
        situation: Says which items are ranked.
        seed: Of all that is random.
        shuffles: Give each item the features of a random other one.

    Returns:
        The metric of each user.
    """
    if situation == "cold" and not names:
        return pd.Series(rank_new(data, "test", _how_many).per_user[METRIC])
    config = Config(seed=seed, model=reader.model_copy(update={"features": names}))
    items = features_of(data, situation, seed if shuffles else None)
    num_known = len(data.items)
    rows, part = rows_to_fit(data), data.evaluation_part("validation")
    context = fit_context(data, rows, part, config)
    context = replace(context, item_features=items.rows(slice(num_known)))
    model = fit_on(rows, config, context)
    if situation == "cold":
        assert isinstance(model, ColdScorer)
        scorer, new = model, items.rows(slice(num_known, None))
        result = rank_new(data, "test", lambda history, _: scorer.score_cold(history, None, new))
    else:
        test = data.evaluation_part("test")
        result = evaluate_ranking(
            model.score_batch, test.history, test.targets, [METRIC], times=test.times
        )
    return pd.Series(result.per_user[METRIC])


def _how_many(history: csr_matrix, new: Features) -> Tensor:
    count = new.sparse().getnnz(axis=1).astype(np.float32)
    return torch.from_numpy(count).repeat(history.shape[0], 1)


def warm_model(data: Dataset, small: bool = False) -> PartConfig:
    """Return a model of items with histories that reads features, and can do without.

    Args:
        data: The dataset.
        small: Take a small timeline of few epochs.

    Returns:
        The timeline of the default blend where there are times, else BPR.
    """
    if data.train_times() is None:
        return BPRConfig()
    parts = default_parts(
        len(data.items),
        has_times=True,
        has_features=True,
        num_users=len(data.users),
        events_per_item=data.split.train.num_rows / len(data.items),
    )
    timeline = next(part for part in parts if part.kind == "timeline")
    return timeline.model_copy(update=_SMALL) if small else timeline


def features_of(data: Dataset, situation: Situation, seed: int | None = None) -> Features:
    """Return the features of the items, or for the control those of others.

    Args:
        data: The dataset.
        situation: Warm items change features among themselves, cold ones with warm ones, too.
        seed: Of the order for the control; None leaves each item its own.

    Returns:
        Features of the items with training rows, in the cold situation those without behind.
    """
    ids = slice(len(data.items)) if situation == "warm" else slice(None)
    found = Features.of(groups_of(data.item_side, data.item_reviews, ids))
    if seed is None:
        return found
    return found.rows(np.random.default_rng(seed).permutation(found.num_ids))


def table(found: Found) -> pd.DataFrame:
    """Compare sets of features.

    Args:
        found: By situation and set, the metric of each user, one series a seed.

    Returns:
        One row per set and of each situation: mean and standard error over the seeds, the ratio of
        the means to none (warm) or the control (cold), and the largest p over the seeds of a paired
        t-test over the users against the control.
    """
    rows: dict[str, dict[str, Any]] = {}
    for situation, sets in found.items():
        base = NONE if situation == "warm" else SHUFFLED
        for features, values in sets.items():
            means = np.array([each.mean() for each in values])
            error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
            ratio = means.mean() / np.mean([each.mean() for each in sets[base]])
            pairs = zip(values, sets[SHUFFLED], strict=True)
            p = max(float(ttest_rel(own, other).pvalue) for own, other in pairs)
            rows.setdefault(features, {"features": features})
            rows[features] |= {
                situation: f"{means.mean():.4f} ± {error:.4f}",
                f"{situation} ÷ {base.rpartition(' ')[2]}": f"{ratio:.3f}",
                f"{situation} p": "" if features == SHUFFLED else f"{p:.0e}",
            }
    return pd.DataFrame([*rows.values()]).fillna("")


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
