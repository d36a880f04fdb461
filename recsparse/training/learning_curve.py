"""The picture of a training: loss and validation quality by epoch."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from recsparse.training.module import LOSS_METRIC

_QUALITIES = {
    "validation_ndcg": "validation nDCG",
    "validation_negative_rmse": "validation RMSE times -1",
}


def plot_learning_curve(epochs: Mapping[int, Mapping[str, float]]) -> Figure:
    """Draw the loss and, where it was measured, the validation quality over the epochs.

    Args:
        epochs: The metrics of each epoch by its number, which a resumed training goes on counting.

    Returns:
        One figure with two axes that share the epochs; the best epoch is marked.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    loss_axes = figure.subplots()
    losses = [metrics.get(LOSS_METRIC, float("nan")) for metrics in epochs.values()]
    loss_axes.plot([*epochs], losses, color="tab:gray", label="training loss")
    loss_axes.set_xlabel("epoch")
    loss_axes.set_ylabel("training loss")
    names = [name for metrics in epochs.values() for name in metrics if name in _QUALITIES]
    if names:
        name, label = names[0], _QUALITIES[names[0]]
        quality = {epoch: each[name] for epoch, each in epochs.items() if name in each}
        axes = loss_axes.twinx()
        axes.plot([*quality], [*quality.values()], color="tab:blue", marker=".")
        best = max(quality, key=quality.__getitem__)
        axes.axvline(best, color="tab:blue", linestyle=":", linewidth=1)
        axes.set_ylabel(label, color="tab:blue")
        axes.set_title(f"best epoch {best}: {label} {quality[best]:.4f}")
    return figure
