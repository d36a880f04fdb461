"""How well users of few or no rows are ranked for, with and without what is known of them.

`python -m benchmarks.new_users [--seeds 3] [--variants 'a;b'] [--out new_users]`

MovieLens-1M, ratings of 4 and more: of a fifth of the users nothing is in training. Each of them
who has at least fifteen rows is ranked for by the first 0, 1, 3 and 10 of these; what comes after
the tenth is to be predicted, so that all columns have the same targets. Known of a user are gender,
age and occupation. Every variant is fitted once a seed, with nothing chosen; shuffled ones get the
features of a random other user, in training and test. The data is read from the folder in
`RECSPARSE_DATA`.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import typer
from rich.console import Console
from scipy.sparse import csr_matrix
from scipy.stats import ttest_rel

from benchmarks.measuring.public_data import public_path
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.config import Config
from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.matrices import item_of, user_of
from recsparse.datasets.schema import TIMESTAMP
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.files.atomic import atomic_file
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.user_reader import scores_of
from recsparse.models.registry import build_model
from recsparse.stages.prepare import prepare
from recsparse.stages.user_features import user_features
from recsparse.training.fit import fit_model

SETTINGS = (
    "split.kind=held_out_users",
    "split.test=0.2",
    "split.validation=0.05",
    "features.user_categories=['gender', 'age', 'occupation']",
)
METRIC = "ndcg@10"
SHOWN, LEAST = (0, 1, 3, 10), 15
# Few epochs of a small network, which a CPU affords.
_TIMELINE = {
    "kind": "timeline",
    "channels": 32,
    "most_events": 50,
    "training": {"epochs": 12, "batch_users": 64, "learning_rate": 4e-3, "device": "cpu"},
}
console = Console()


@dataclass(frozen=True)
class Variant:
    """A model, and what is done to the features of the users.

    Attributes:
        model: The section `model`.
        shuffles: Give each user the features of a random other one.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    shuffles: bool = False


VARIANTS: Mapping[str, Variant] = {
    "popularity": Variant({"kind": "popularity"}),
    "user_ridge": Variant({"kind": "user_ridge"}),
    "user_ridge, shuffled": Variant({"kind": "user_ridge"}, shuffles=True),
    "timeline": Variant(_TIMELINE),
    "timeline, features": Variant({**_TIMELINE, "user_features": "all"}),
    "timeline, shuffled": Variant({**_TIMELINE, "user_features": "all"}, shuffles=True),
}


def run(
    seeds: Annotated[int, typer.Option(help="Number of splits.", min=1)] = 3,
    only: Annotated[str | None, typer.Option("--variants", help="Some, by `;`.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("new_users"),
) -> None:
    """Measure all variants and show the mean over the seeds, by rows that are shown."""
    names = [*VARIANTS] if only is None else only.split(";")
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    for seed, name in itertools.product(range(seeds), names):
        folder = out / f"seed-{seed}"
        file = folder / f"{name.replace(', ', '-')}.parquet"
        if not file.exists():
            figures = measure(VARIANTS[name], dataset(seed, folder / "dataset"), seed)
            with atomic_file(file) as aside:
                figures.to_parquet(aside)
        found[name].append(pd.read_parquet(file))
        console.print(f"seed {seed}, {name}: {found[name][-1].mean().round(4).to_dict()}")
    show_frame(f"MovieLens-1M, {METRIC}, {seeds} seeds", table(found))


def dataset(seed: int, folder: Path) -> Dataset:
    """Prepare the data, unless it has been.

    Args:
        seed: Of the split.
        folder: The dataset folder.

    Returns:
        The dataset.
    """
    if not folder.exists():
        log, users = (
            public_path(f"movielens-1m/{name}.parquet")
            for name in ("positives_timestamped", "users")
        )
        config = load_config(overrides=[*SETTINGS, f"seed={seed}"])
        prepare(Sources(log, users=users), folder, config=config)
    return load_dataset(folder)


def measure(variant: Variant, data: Dataset, seed: int) -> pd.DataFrame:
    """Fit a variant, and rank for the users of the test by some of their rows.

    Args:
        variant: The model, and what is done to the features.
        data: The dataset.
        seed: Of all that is random.

    Returns:
        The metric of each user, one column for each number of rows that are shown.
    """
    config = Config.model_validate({"seed": seed, "model": dict(variant.model)})
    cut = CutHistories.of(data)
    everyone = pa.concat_arrays([data.users.ids, cut.ids])
    users = user_features(data, everyone)
    assert users is not None, "the table of users must be read"
    if variant.shuffles:
        users = users.rows(np.random.default_rng(seed).permutation(users.num_ids))
    num_known = len(data.users)
    model = fit_model(
        build_model(config.model),
        data.train_matrix(),
        FitContext(
            config.training,
            seed,
            times=data.train_times(),
            user_features=users.rows(slice(num_known)),
        ),
    )
    of_test = users.rows(slice(num_known, None))
    return pd.DataFrame({shown: cut.figures(model, shown, of_test) for shown in map(str, SHOWN)})


@dataclass(frozen=True, eq=False)
class CutHistories:
    """Users who are not in training, with all of their rows in the order of time.

    Attributes:
        ids: Of the users.
        row: The user of each event, rising.
        item: Of each event.
        time: Of each event.
        place: Of each event among those of its user, from 0.
        num_items: Of the catalogue.
    """

    ids: pa.Array
    row: np.ndarray
    item: np.ndarray
    time: np.ndarray
    place: np.ndarray
    num_items: int

    @classmethod
    def of(cls, data: Dataset) -> "CutHistories":
        """Gather the users of the test.

        Args:
            data: A dataset of held-out users.

        Returns:
            Those who have rows enough.
        """
        rows = pa.concat_tables([data.split.test_history, data.split.test])
        rows = rows.filter(pa.array(item_of(rows) < len(data.items)))
        user, item = user_of(rows), item_of(rows)
        time = rows[TIMESTAMP].to_numpy()
        users, count = np.unique(user, return_counts=True)
        users = users[count >= LEAST]
        order = np.lexsort((item, time, user))
        order = order[np.isin(user[order], users)]
        row = np.searchsorted(users, user[order])
        place = np.arange(len(row)) - np.searchsorted(row, row)
        ids = data.user_ids(users)
        return cls(ids, row, item[order].astype(np.int64), time[order], place, len(data.items))

    def figures(self, model: Recommender, shown: str, users: Features) -> np.ndarray:
        """Rank for all users by their first rows.

        Args:
            model: A fitted model.
            shown: How many rows.
            users: Features of the users.

        Returns:
            The metric of each user.
        """
        known, wanted = self.place < int(shown), self.place >= SHOWN[-1]
        ones = np.ones(len(self.row), dtype=np.float32)
        result = evaluate_ranking(
            partial(scores_of, model),
            self._matrix(known, ones),
            self._matrix(wanted, ones),
            [METRIC],
            times=self._matrix(known, self.time),
            users=users,
        )
        return result.per_user[METRIC]

    def _matrix(self, chosen: np.ndarray, values: np.ndarray) -> csr_matrix:
        cells = values[chosen], (self.row[chosen], self.item[chosen])
        found = csr_matrix(cells, shape=(len(self.ids), self.num_items))
        return found.sorted_indices()


def table(found: Mapping[str, list[pd.DataFrame]]) -> pd.DataFrame:
    """Compare variants.

    Args:
        found: Of each variant the figures of the users, one table a seed.

    Returns:
        One row per variant: the mean and its standard error over the seeds, by rows shown, and
        whether each seed calls the variant another than the one before it in the list (p < .01).
    """
    rows, before = [], None
    for name, tables in found.items():
        row = {"variant": name}
        for shown in map(str, SHOWN):
            means = np.array([each[shown].mean() for each in tables])
            error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
            row[f"{shown} rows"] = f"{means.mean():.4f} ± {error:.4f}"
            if before is not None:
                pairs = zip(tables, before, strict=True)
                row[f"p, {shown}"] = (
                    f"{max(_p(own[shown], other[shown]) for own, other in pairs):.0e}"
                )
        rows.append(row)
        before = tables
    return pd.DataFrame(rows)


def _p(own: pd.Series, other: pd.Series) -> float:
    return float(ttest_rel(own, other).pvalue)


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
