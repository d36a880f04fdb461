"""How well users of one row and of three are ranked for, with and without their own reviews.

`python -m benchmarks.reviewed_users [--seeds 3] [--variants 'a;b'] [--out reviewed_users]`

Amazon Musical Instruments: of half of the users only the first row, or the first three, are in the
training part; what comes after the third is to be predicted, so that both have the same targets.
What is known of a user is the text of the reviews in these rows. Nothing is chosen; the blend gives
the reviews of a user of one row two thirds of the weight, and a third of it at three rows. Shuffled
users have the reviews of a random other one. Users without rows have no reviews, and too few have
more than ten rows. The data is read from the folder in `RECSPARSE_DATA`.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from scipy.stats import ttest_rel

from benchmarks.measuring.public_data import public_path
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.config import Config
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.files.atomic import atomic_file
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.user_reader import scores_of
from recsparse.models.registry import build_model
from recsparse.stages.prepare import prepare
from recsparse.stages.user_features import user_features
from recsparse.training.fit import fit_model

METRIC, SHOWN = "ndcg@10", (1, 3)
SETTINGS = (
    "split.kind=given",
    "split.column=part",
    "text.log_columns=['review_text','summary']",
)
# Few epochs of a small network, as for users with features of a table.
_TIMELINE = {
    "kind": "timeline",
    "channels": 32,
    "most_events": 50,
    "training": {"epochs": 12, "batch_users": 64, "learning_rate": 4e-3, "device": "cpu"},
}
_EASE = {"kind": "ease", "regularisation": 400.0}
_BLEND = {"kind": "blend", "parts": [_EASE], "weights": [1.0], "prior_rows": 4.0}
_REVIEWS = {"user_features": ["reviews"]}
console = Console()


@dataclass(frozen=True)
class Variant:
    """A model, and what is done to the reviews of the users.

    Attributes:
        model: The section `model`.
        control: The variant that it is compared with; None for none.
        shuffles: Give each user the reviews of a random other one.
    """

    model: Mapping[str, Any]
    control: str | None = None
    shuffles: bool = False


def _with_control(name: str, model: Mapping[str, Any]) -> dict[str, Variant]:
    model, shuffled = {**model, **_REVIEWS}, f"{name}, shuffled"
    return {
        f"{name}, reviews": Variant(model, control=shuffled),
        shuffled: Variant(model, shuffles=True),
    }


VARIANTS: Mapping[str, Variant] = {
    "popularity": Variant({"kind": "popularity"}),
    **_with_control("user_ridge", {"kind": "user_ridge"}),
    "EASE": Variant(_EASE),
    **_with_control("EASE", _BLEND),
    "timeline": Variant(_TIMELINE),
    **_with_control("timeline", _TIMELINE),
}


def run(
    seeds: Annotated[int, typer.Option(help="Number of splits.", min=1)] = 3,
    only: Annotated[str | None, typer.Option("--variants", help="Some, by `;`.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("reviewed_users"),
) -> None:
    """Measure all variants and show the mean over the seeds, by rows that are shown."""
    names = [*VARIANTS] if only is None else only.split(";")
    found: dict[tuple[str, int], list[pd.Series]] = {}
    for seed, shown, name in itertools.product(range(seeds), SHOWN, names):
        folder = out / f"seed-{seed}" / f"{shown}-rows"
        file = folder / f"{name.replace(', ', '-')}.parquet"
        if not file.exists():
            figures = measure(VARIANTS[name], dataset(seed, shown, folder / "dataset"), seed)
            with atomic_file(file) as aside:
                figures.to_frame(METRIC).to_parquet(aside)
        figures = pd.read_parquet(file)[METRIC]
        found.setdefault((name, shown), []).append(figures)
        console.print(f"seed {seed}, {shown} rows, {name}: {figures.mean():.4f}, {len(figures)}")
    show_frame(f"Amazon Musical Instruments, {METRIC}, {seeds} seeds", table(found))


def split_log(log: pd.DataFrame, seed: int, shown: int) -> pd.DataFrame:
    """Say of each row of a log for what it is.

    Args:
        log: With `user_id`, `item_id` and `timestamp`.
        seed: Of the choice of the users.
        shown: How many rows of half of the users are for training.

    Returns:
        The rows with a column `part`, without those that are shown to nobody. Of one in twenty of
        the other users the last row is for validation, which nothing reads.
    """
    log = log.sort_values(["user_id", "timestamp", "item_id"], kind="stable")
    place = log.groupby("user_id").cumcount()
    is_last = ~log["user_id"].duplicated(keep="last")
    users = log["user_id"].unique()
    group = dict(zip(users, np.random.default_rng(seed).random(len(users)), strict=True))
    chance = log["user_id"].map(group)
    is_new = chance < 1 / 2
    part = pd.Series("train", index=log.index)
    part[~is_new & is_last & (chance > 0.975)] = "validation"
    part[is_new & (place >= shown)] = "nobody"
    part[is_new & (place >= SHOWN[-1])] = "test"
    return log.assign(part=part)[part != "nobody"]


def dataset(seed: int, shown: int, folder: Path) -> Dataset:
    """Prepare the data, unless it has been.

    Args:
        seed: Of the split.
        shown: How many rows of new users are for training.
        folder: The dataset folder.

    Returns:
        The dataset.
    """
    if not folder.exists():
        log = pd.read_parquet(public_path("amazon-musical-instruments-5core/interactions.parquet"))
        config = load_config(overrides=[*SETTINGS, f"seed={seed}"])
        prepare(Sources(split_log(log, seed, shown)), folder, config=config)
    return load_dataset(folder)


def measure(variant: Variant, data: Dataset, seed: int) -> pd.Series:
    """Fit a variant, and rank for the users of the test part once.

    Args:
        variant: The model, and what is done to the reviews.
        data: The dataset.
        seed: Of all that is random.

    Returns:
        The metric of each user.
    """
    config = Config.model_validate({"seed": seed, "model": dict(variant.model)})
    users = user_features(data, data.users.ids)
    assert users is not None, "the reviews must be read"
    if variant.shuffles:
        users = users.rows(np.random.default_rng(seed).permutation(users.num_ids))
    context = FitContext(config.training, seed, times=data.train_times(), user_features=users)
    model = fit_model(build_model(config.model), data.train_matrix(), context)
    test = data.evaluation_part("test")
    of_test = users.rows(data.users.index_of(test.user_ids))
    result = evaluate_ranking(
        partial(scores_of, model),
        test.history,
        test.targets,
        [METRIC],
        times=test.times,
        users=of_test,
    )
    return pd.Series(result.per_user[METRIC])


def table(found: Mapping[tuple[str, int], list[pd.Series]]) -> pd.DataFrame:
    """Compare variants.

    Args:
        found: Of each variant and number of rows the metric of each user, one series a seed.

    Returns:
        One row per variant: mean and standard error over the seeds, and the largest p over the
        seeds of a paired t-test over the users against the variant's control.
    """
    rows: dict[str, dict[str, str]] = {}
    for (name, shown), values in found.items():
        means = np.array([each.mean() for each in values])
        error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
        row = rows.setdefault(name, {"variant": name})
        row[f"{shown} rows"] = f"{means.mean():.4f} ± {error:.4f}"
        others = found.get((VARIANTS[name].control or "", shown))
        pairs = zip(values, others or (), strict=False)
        p = max((float(ttest_rel(own, other).pvalue) for own, other in pairs), default=np.nan)
        row[f"{shown} rows, p"] = "" if np.isnan(p) else f"{p:.0e}"
    return pd.DataFrame([*rows.values()]).fillna("")


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
