"""The picture of a blend: what each of its parts counts."""

from collections.abc import Sequence

from matplotlib.figure import Figure


def plot_part_weights(parts: Sequence[str], weights: Sequence[float]) -> Figure:
    """Draw one bar a part, in the order of the blend.

    Args:
        parts: Kinds of the parts; one may be there several times.
        weights: What each counts.

    Returns:
        A figure.
    """
    names = [
        f"{kind} {parts[: place + 1].count(kind)}" if parts.count(kind) > 1 else kind
        for place, kind in enumerate(parts)
    ]
    figure = Figure(figsize=(6, 1 + 0.4 * len(parts)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, weights, color="tab:blue")
    axes.bar_label(bars, fmt="%.3g", padding=4)
    axes.invert_yaxis()
    axes.set_xlabel("weight of the part's scores, each of standard deviation 1")
    axes.margins(x=0.15)
    return figure
