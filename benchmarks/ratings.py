"""How well ratings are predicted on the split u1 of MovieLens-100K.

`python -m benchmarks.ratings [--seeds 5]`

Settings are chosen on a tenth of the training ratings, drawn at random with the seed; then each
model is fitted on all of them, and the test ratings are predicted once. The split is fixed: seeds
differ in that tenth and in what the models draw. The data is looked for in
the folder of `RECSPARSE_DATA`.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from scipy.sparse import csr_matrix
from scipy.stats import ttest_rel

from benchmarks.measuring.public_data import public_path
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.config import Config
from recsparse.config.training import TrainingConfig
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.metrics.rating_metrics import RatingResult
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.validation import Judge, Validation
from recsparse.models.ratings.rating_grid import RatingGrid
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model
from recsparse.training.trainer import train_network

OURS = "rating_grid"
# What is tried of each model; ours finds the weight of its network by least squares.
SPACES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "rating_bias": {"user_shrinkage": (3.0, 5.0, 10.0), "item_shrinkage": (2.0, 3.0, 5.0, 10.0)},
    "rating_factors": {
        "factors": (8, 16, 32),
        "regularisation": (8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0),
    },
    "rating_bayes": {},
    OURS: {},
}
VALIDATION_SHARE = 0.1
console = Console()


def run(seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1)] = 5) -> None:
    """Measure all models and show mean, standard error and paired differences."""
    train, test = (read_ratings(public_path("movielens-100k"), part) for part in ("train", "test"))
    found: dict[str, list[tuple[RatingResult, float]]] = {kind: [] for kind in SPACES}
    for seed, kind in itertools.product(range(seeds), SPACES):
        settings = choose(kind, train, seed)
        started = time.perf_counter()
        model = fit(kind, settings, train, seed)
        seconds = time.perf_counter() - started
        result = evaluate_ratings(model, train, test)
        found[kind].append((result, seconds))
        console.print(f"seed {seed}, {kind} {settings}: {result.overall}")
    show_frame(f"MovieLens-100K, u1, {seeds} seeds", table(found))


def read_ratings(folder: Path, part: str) -> csr_matrix:
    """Read one part of the split.

    Args:
        folder: The data set.
        part: `train` or `test`.

    Returns:
        Users × items, the ratings; ids count from 1 and are kept less one.
    """
    rows = pd.read_parquet(folder / "splits" / f"u1_{part}.parquet")
    cells = (rows["user_id"].to_numpy() - 1, rows["item_id"].to_numpy() - 1)
    return csr_matrix((rows["rating"].to_numpy(np.float32), cells), shape=(943, 1682))


def choose(kind: str, train: csr_matrix, seed: int) -> dict[str, Any]:
    """Find a model's settings on a tenth of the training ratings.

    Args:
        kind: The kind of the model.
        train: The training ratings.
        seed: Of the tenth and of the models.

    Returns:
        The best settings of those that are tried.
    """
    kept, hidden = hide(train, VALIDATION_SHARE, seed)
    if kind == OURS:
        model = fit(kind, {}, kept, seed, Validation(kept, hidden))
        assert isinstance(model, RatingGrid)
        return {"network_weight": round(model.network_weight, 3)}
    space = SPACES[kind]
    tried = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    if len(tried) == 1:
        return tried[0]
    errors = [
        evaluate_ratings(fit(kind, settings, kept, seed), kept, hidden).overall["rmse"]
        for settings in tried
    ]
    return tried[int(np.argmin(errors))]


def hide(ratings: csr_matrix, share: float, seed: int) -> tuple[csr_matrix, csr_matrix]:
    """Part ratings at random.

    Args:
        ratings: Users × items.
        share: Share of the ratings that are hidden.
        seed: Of the draw.

    Returns:
        Those that are left, and those that are hidden.
    """
    hidden = np.random.default_rng(seed).random(ratings.nnz) < share
    cells = ratings.tocoo()
    left, right = (
        csr_matrix((cells.data[some], (cells.row[some], cells.col[some])), shape=ratings.shape)
        for some in (~hidden, hidden)
    )
    return left, right


def fit(
    kind: str,
    settings: Mapping[str, Any],
    ratings: csr_matrix,
    seed: int,
    validation: Validation | None = None,
) -> Recommender:
    """Fit a model.

    Args:
        kind: The kind of the model.
        settings: What differs from the defaults.
        ratings: Users × items.
        seed: Of the model.
        validation: Ratings to weigh the parts of a model by.

    Returns:
        The fitted model.
    """
    config = Config.model_validate({"seed": seed, "model": {"kind": kind, **settings}})
    context = FitContext(config.training, seed, validation=validation, trainer=_unjudged)
    return fit_model(build_model(config.model), ratings, context)


def _unjudged(objective: Objective, context: FitContext, _: Judge | None) -> TrainingConfig:
    """Train for all epochs: the validation ratings weigh the parts alone."""
    return train_network(objective, context)


def table(found: Mapping[str, Sequence[tuple[RatingResult, float]]]) -> pd.DataFrame:
    """Put the models side by side.

    Args:
        found: Errors and seconds of the fit, for each model and seed.

    Returns:
        One row per model: mean and standard error over seeds of RMSE and MAE, the gain of ours in
        RMSE, and the p-value of a paired t-test over users of the users' RMSE, mean over seeds.
    """
    own_errors, own_users = _rmse(found[OURS]), _user_rmse(found[OURS])
    rows = []
    for kind, results in found.items():
        row = {"model": kind}
        for metric in ("rmse", "mae"):
            values = np.array([result.overall[metric] for result, _ in results])
            error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
            row[metric] = f"{values.mean():.4f} ± {error:.4f}"
        if kind != OURS:
            row["ours less"] = f"{(_rmse(results) - own_errors).mean():.4f}"
            users = _user_rmse(results)
            known = ~np.isnan(users)
            row["p"] = f"{ttest_rel(users[known], own_users[known]).pvalue:.1e}"
        row["fit seconds"] = f"{np.mean([seconds for _, seconds in results]):.1f}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def _rmse(results: Sequence[tuple[RatingResult, float]]) -> np.ndarray:
    return np.array([result.overall["rmse"] for result, _ in results])


def _user_rmse(results: Sequence[tuple[RatingResult, float]]) -> np.ndarray:
    mean: np.ndarray = np.mean([result.per_user["user_rmse"] for result, _ in results], axis=0)
    return mean


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
