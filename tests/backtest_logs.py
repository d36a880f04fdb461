"""A log of thirty days, and small settings of backtests of it."""

import numpy as np
import pandas as pd

from recsparse.config.toml_reader import load_config

DAY = 86_400
START = 1_700_000_000 // DAY * DAY
SETTINGS = ["backtest.windows=3", "backtest.every=5d", "evaluation.metrics=['all@5']"]
MODELS = ["popularity", "item_knn"]


def rows_of(days, seed=0, items=60):
    """Return 40 rows a day of 30 users, each of whom likes items of one kind more."""
    rng = np.random.default_rng(seed)
    size = 40 * days
    user = rng.integers(0, 30, size)
    item = rng.integers(0, items, size)
    item = np.where(rng.random(size) < 0.4, (item // 3 * 3 + user % 3) % items, item)
    time = START + np.sort(rng.integers(0, days * DAY, size))
    return pd.DataFrame({"user_id": user, "item_id": item, "timestamp": time})


def config_of(*more):
    return load_config(None, [*SETTINGS, *more])
