"""Pictures of comparisons, which pages and runs show."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from recsparse.evaluation.ranking_result import RankingResult
from recsparse.metrics.rating_metrics import RATING_FORMULAS


def plot_comparison(results: Mapping[str, RankingResult], metric: str) -> Figure:
    """Draw one bar a model with its standard error, the best on top; of errors, the lowest.

    Args:
        results: One result a model.
        metric: Such as `ndcg@10`.

    Returns:
        A figure.
    """
    means = {model: result.mean()[metric] for model, result in results.items()}
    models = sorted(means, key=means.__getitem__, reverse=metric in RATING_FORMULAS)
    errors = np.nan_to_num([results[model].standard_error()[metric] for model in models])
    figure = Figure(figsize=(7, 1 + 0.5 * len(models)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(models, [means[model] for model in models], xerr=errors, color="tab:blue")
    axes.bar_label(bars, fmt="%.4f", padding=4)
    axes.set_xlabel(f"{metric} on the test part, mean and standard error over users")
    axes.margins(x=0.15)
    return figure
