"""The picture of a training: loss and validation quality by epoch."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from recsparse.training.module import LOSS_METRIC

_VALIDATION = "validation_"
_LABELS = {"ndcg": "nDCG", "map": "MAP", "mrr": "MRR", "negative_rmse": "RMSE times -1"}


def plot_learning_curve(epochs: Mapping[int, Mapping[str, float]]) -> Figure:
    """Draw the loss and, where it was measured, the validation quality over the epochs.

    Args:
        epochs: The metrics of each epoch by its number, which a resumed training keeps counting;
            where several networks were trained, a metric's name starts with that of its network.

    Returns:
        One figure, one panel a network with two axes that share the epochs; the best epoch is
        marked.
    """
    names = {name: None for metrics in epochs.values() for name in metrics}
    networks = list(dict.fromkeys(name.rpartition("/")[0] for name in names)) or [""]
    figure = Figure(figsize=(7, 1 + 3 * len(networks)), layout="constrained")
    panels = figure.subplots(len(networks), squeeze=False)[:, 0]
    for axes, network in zip(panels, networks, strict=True):
        prefix = f"{network}/" if network else ""
        axes.set_title(network)
        axes.set_xlabel("epoch")
        # Without the last setting a single epoch would have fractions about it.
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        axes.set_ylabel("training loss")
        losses = _curve(epochs, prefix + LOSS_METRIC)
        axes.plot([*losses], [*losses.values()], color="tab:gray")
        for metric in sorted(name for name in names if name.startswith(prefix + _VALIDATION)):
            quality = metric.removeprefix(prefix + _VALIDATION)
            label = f"validation {_LABELS.get(quality, quality.replace('_', ' '))}"
            _draw_quality(axes, _curve(epochs, metric), label)
    return figure


def _curve(epochs: Mapping[int, Mapping[str, float]], metric: str) -> dict[int, float]:
    return {epoch: values[metric] for epoch, values in epochs.items() if metric in values}


def _draw_quality(axes: Axes, quality: Mapping[int, float], label: str) -> None:
    if not quality:
        return
    quality_axes, best = axes.twinx(), max(quality, key=quality.__getitem__)
    quality_axes.plot([*quality], [*quality.values()], color="tab:blue", marker=".")
    quality_axes.axvline(best, color="tab:blue", linestyle=":", linewidth=1)
    quality_axes.set_ylabel(label, color="tab:blue")
    network, title = axes.get_title(), f"best epoch {best}: {label} {quality[best]:.4f}"
    axes.set_title(f"{network}, {title}" if network else title)
