"""Accuracy against CPU seconds: a point a model, and the way there of those that are trained."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

SECONDS, QUALITY = "cpu_seconds", "quality"


def plot_curves(
    curves: Mapping[str, pd.DataFrame], finals: Mapping[str, tuple[float, float]], metric: str
) -> Figure:
    """Draw the quality that models reach over the CPU seconds of their fit.

    Args:
        curves: Of models that are trained, `cpu_seconds` and `quality` after each epoch; of others
            nothing, or no row.
        finals: CPU seconds and quality of each model at its end.
        metric: What the quality is.

    Returns:
        One figure; seconds on a logarithmic axis.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for number, (model, (seconds, quality)) in enumerate(finals.items()):
        colour = f"C{number % 10}"
        curve = curves.get(model)
        if curve is not None and len(curve):
            axes.plot(curve[SECONDS], curve[QUALITY], color=colour, alpha=0.5)
        # What takes no time at all has no place on a logarithmic axis.
        place = max(seconds, 0.1), quality
        axes.plot(*place, "o", color=colour)
        axes.annotate(model, place, xytext=(5, 4), textcoords="offset points", color=colour)
    axes.set_xscale("log")
    # Room for the names on the right.
    axes.margins(x=0.15)
    axes.set_xlabel("CPU seconds of the fit")
    axes.set_ylabel(f"{metric}, validation")
    return figure
