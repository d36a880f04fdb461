"""The picture of a training: loss and validation quality by epoch."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from recsparse.training.module import LOSS_METRIC, VALIDATION_METRIC


def plot_learning_curve(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the loss and, where it was measured, the validation nDCG over the epochs.

    Args:
        epochs: The metrics of each epoch, in order.

    Returns:
        One figure with two axes that share the epochs; the best epoch is marked.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    loss_axes = figure.subplots()
    numbers = range(len(epochs))
    losses = [epoch.get(LOSS_METRIC, float("nan")) for epoch in epochs]
    loss_axes.plot(numbers, losses, color="tab:gray", label="training loss")
    loss_axes.set_xlabel("epoch")
    loss_axes.set_ylabel("training loss")
    quality = [epoch[VALIDATION_METRIC] for epoch in epochs if VALIDATION_METRIC in epoch]
    if quality:
        axes = loss_axes.twinx()
        axes.plot(range(len(quality)), quality, color="tab:blue", marker=".")
        best = max(range(len(quality)), key=quality.__getitem__)
        axes.axvline(best, color="tab:blue", linestyle=":", linewidth=1)
        axes.set_ylabel("validation nDCG", color="tab:blue")
        axes.set_title(f"best epoch {best}: validation nDCG {quality[best]:.4f}")
    return figure
