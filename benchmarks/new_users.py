"""How well users of few or no rows are ranked for, with and without what is known of them.

`python -m benchmarks.new_users [--seeds 3] [--variants 'a;b'] [--out new_users]`

MovieLens-1M, ratings of 4 and more: of a fifth of the users nothing is in training. Each of them
who has at least fifteen rows is ranked for by the first 0, 1, 3 and 10 of these; what comes after
the tenth is to be predicted, so that these columns have the same targets. In the last column, four
fifths of the rows are shown, and the rest is to be predicted. Known of a user are gender, age and
occupation. Every variant is fitted once a seed, with nothing chosen but what features
count in a blend, on a twentieth of the users; shuffled ones get the
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
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.files.atomic import atomic_file
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.user_reader import scores_of
from recsparse.models.protocol.validation import Validation
from recsparse.models.registry import build_model
from recsparse.stages.prepare import prepare
from recsparse.stages.user_features import user_features
from recsparse.training.fit import fit_model

FEATURES = ["gender", "age", "occupation"]
SETTINGS = (
    "split.kind=held_out_users",
    "split.test=0.2",
    "split.validation=0.05",
    f"features.user_categories={FEATURES}",
)
METRIC = "ndcg@10"
SHOWN, LEAST, MOST = (0, 1, 3, 10), 15, "four fifths"
# Few epochs of a small network, which a CPU affords.
_TIMELINE = {
    "kind": "timeline",
    "channels": 32,
    "most_events": 50,
    "training": {"epochs": 12, "batch_users": 64, "learning_rate": 4e-3, "device": "cpu"},
}
_EASE = {"kind": "ease", "regularisation": 400.0}
_BLEND = {"kind": "blend", "parts": [_EASE], "user_features": FEATURES}
_RIDGE = {"kind": "user_ridge", "user_features": FEATURES}
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
    "user_ridge": Variant(_RIDGE),
    "user_ridge, shuffled": Variant(_RIDGE, shuffles=True),
    "EASE": Variant(_EASE),
    "EASE, features": Variant(_BLEND),
    "EASE, shuffled": Variant(_BLEND, shuffles=True),
    "timeline": Variant(_TIMELINE),
    "timeline, features": Variant({**_TIMELINE, "user_features": FEATURES}),
    "timeline, shuffled": Variant({**_TIMELINE, "user_features": FEATURES}, shuffles=True),
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
    cut, part = CutHistories.of(data), data.evaluation_part("validation")
    sizes = len(data.users), len(part.user_ids), len(cut.ids)
    everyone = pa.concat_arrays([data.users.ids, part.user_ids, cut.ids])
    users = user_features(data, everyone)
    assert users is not None, "the table of users must be read"
    if variant.shuffles:
        users = users.rows(np.random.default_rng(seed).permutation(users.num_ids))
    of_training, of_validation, of_test = (
        users.rows(np.arange(start, start + size))
        for start, size in zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True)
    )
    judge = Validation(
        part.history, part.targets, part.times, METRIC, looks_ahead=False, users=of_validation
    )
    is_blend = config.model.kind == "blend"
    model = fit_model(
        build_model(config.model),
        data.train_matrix(),
        FitContext(
            config.training,
            seed,
            times=data.train_times(),
            user_features=of_training,
            validation=judge if is_blend else None,
        ),
    )
    if is_blend:
        rows = model.settled().prior_rows
        console.print(f"seed {seed}: prior_rows {rows:g}")
    found = {str(shown): cut.figures(model, shown, of_test) for shown in SHOWN}
    whole = data.evaluation_part("test")
    place = Vocabulary(whole.user_ids).index_of(cut.ids)
    times = None if whole.times is None else whole.times[place]
    known = whole.history[place], whole.targets[place], times
    return pd.DataFrame({**found, MOST: figures(model, *known, of_test)})


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

    def figures(self, model: Recommender, shown: int, users: Features) -> np.ndarray:
        """Rank for all users by their first rows.

        Args:
            model: A fitted model.
            shown: How many rows.
            users: Features of the users.

        Returns:
            The metric of each user.
        """
        known, wanted = self.place < shown, self.place >= SHOWN[-1]
        ones = np.ones(len(self.row), dtype=np.float32)
        history, targets = self._matrix(known, ones), self._matrix(wanted, ones)
        return figures(model, history, targets, self._matrix(known, self.time), users)

    def _matrix(self, chosen: np.ndarray, values: np.ndarray) -> csr_matrix:
        cells = values[chosen], (self.row[chosen], self.item[chosen])
        found = csr_matrix(cells, shape=(len(self.ids), self.num_items))
        return found.sorted_indices()


def figures(
    model: Recommender,
    history: csr_matrix,
    targets: csr_matrix,
    times: csr_matrix | None,
    users: Features,
) -> np.ndarray:
    """Rank for some users.

    Args:
        model: A fitted model.
        history: What it may see.
        targets: What it has to predict.
        times: The time of each cell of the history.
        users: Features of the users.

    Returns:
        The metric of each user.
    """
    score = partial(scores_of, model)
    result = evaluate_ranking(score, history, targets, [METRIC], times=times, users=users)
    return result.per_user[METRIC]


def table(found: Mapping[str, list[pd.DataFrame]]) -> pd.DataFrame:
    """Compare variants.

    Args:
        found: Of each variant the figures of the users, one table a seed.

    Returns:
        One row per variant: the mean and its standard error over the seeds, by rows shown.
    """
    rows = []
    for name, tables in found.items():
        row = {"variant": name}
        for shown in [*map(str, SHOWN), MOST]:
            means = np.array([each[shown].mean() for each in tables])
            error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
            row[shown] = f"{means.mean():.4f} ± {error:.4f}"
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
