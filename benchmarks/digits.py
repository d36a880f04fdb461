"""How well SparseConvNet reads scikit-learn's digits, next to the dense network of the same layers.

`python -m benchmarks.digits [--folds 5] [--seeds 3]`

Both start from the same weights and see the same images in the same order (Adam, cross-entropy,
a learning rate that rises and falls once, without which the figures of two seeds differ by points).
The highest learning rate of each is chosen on a tenth of each fold's training images, then the
network is trained anew on all of them and reads the fold's test images once.
"""

import math
import time
from collections.abc import Callable
from typing import Annotated

import pandas as pd
import torch
import typer
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn

from recsparse.cli.terminal import show_frame
from recsparse.layers.networks.sparse_conv_net import SparseConvNet
from recsparse.sparse.tensor import SparseTensor

LEARNING_RATES = (3e-3, 1e-2, 2e-2)
BATCH = 64
Reader = Callable[[Tensor], Tensor]


def digits() -> tuple[Tensor, Tensor]:
    """Return scikit-learn's digits.

    Returns:
        1,797 images (images, 1, 8, 8) from 0 to 1, and the digit of each.
    """
    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images).float().reshape(-1, 1, 8, 8) / 16, torch.from_numpy(labels)


def sparse_net(seed: int) -> nn.Module:
    """Return the sparse network.

    Args:
        seed: Of its weights.

    Returns:
        A network that is called with sparse tensors.
    """
    torch.manual_seed(seed)
    return SparseConvNet(1, 10, (8, 8))


def dense_net(seed: int) -> nn.Module:
    """Return the same network of torch's own layers.

    Args:
        seed: Of its weights.

    Returns:
        A network with the weights of `sparse_net(seed)`, called with images.
    """
    twin = nn.Sequential()
    twin.features = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    twin.classifier = nn.Sequential(
        nn.Flatten(), nn.Linear(64 * 2 * 2, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    twin.load_state_dict(sparse_net(seed).state_dict())
    return twin


def reader(net: nn.Module) -> Reader:
    """Return the network as a function of images.

    Args:
        net: A network of this file.

    Returns:
        From images to logits.
    """
    if isinstance(net, SparseConvNet):
        return lambda images: net(SparseTensor.from_dense(images))
    return net


def trained(net: nn.Module, images: Tensor, labels: Tensor, rate: float, epochs: int) -> Reader:
    """Train a network.

    Args:
        net: A network of this file.
        images: To learn from.
        labels: The digit of each.
        rate: Highest learning rate.
        epochs: Passes over the images.

    Returns:
        The trained network, from images to logits.
    """
    read = reader(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    steps = epochs * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(read(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return read


def num_right(read: Reader, images: Tensor, labels: Tensor) -> int:
    """Return how many digits are read right.

    Args:
        read: From images to logits.
        images: Unseen images.
        labels: The digit of each.

    Returns:
        A number of images.
    """
    with torch.no_grad():
        return int((read(images).argmax(1) == labels).sum())


def run(
    folds: Annotated[int, typer.Option(help="Parts, each the test images once.", min=2)] = 5,
    seeds: Annotated[int, typer.Option(help="Initial weights tried for each part.", min=1)] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.", min=1)] = 20,
) -> None:
    """Train both networks on every part and show how well they read."""
    torch.set_num_threads(1)  # batches of small images: a second thread costs more than it does
    images, labels = digits()
    rows = []
    for name, make in (("SparseConvNet", sparse_net), ("dense twin", dense_net)):
        started, right = time.perf_counter(), [0] * seeds
        chosen: list[float] = []
        splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
        for train, test in splitter.split(images, labels):
            known, asked = torch.from_numpy(train), torch.from_numpy(test)
            rate = _best_rate(make, images[known], labels[known], epochs)
            chosen.append(rate)
            for seed in range(seeds):
                read = trained(make(seed), images[known], labels[known], rate, epochs)
                right[seed] += num_right(read, images[asked], labels[asked])
        accuracy = 100 * pd.Series(right) / len(images)
        rows.append(
            {
                "network": name,
                "accuracy, %": accuracy.mean(),
                "least": accuracy.min(),
                "most": accuracy.max(),
                "learning rates": ", ".join(f"{rate:g}" for rate in sorted(set(chosen))),
                "seconds": time.perf_counter() - started,
            }
        )
    show_frame(f"{len(images)} digits, {folds} parts, {seeds} seeds", pd.DataFrame(rows))


def _best_rate(
    make: Callable[[int], nn.Module], images: Tensor, labels: Tensor, epochs: int
) -> float:
    splitter = StratifiedKFold(10, shuffle=True, random_state=1)
    train, held_out = map(torch.from_numpy, next(splitter.split(images, labels)))

    def right(rate: float) -> int:
        read = trained(make(0), images[train], labels[train], rate, epochs)
        return num_right(read, images[held_out], labels[held_out])

    return max(LEARNING_RATES, key=right)


if __name__ == "__main__":
    typer.run(run)
