"""Draws the pictures of the pages that no benchmark draws: `make pictures`."""

import tempfile
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from docs.screens import take_pictures
from recsparse import sparse_tensor
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.strided import SparseConv2d

IMAGES = Path(__file__).parent / "images"
# Bytes from which on a picture is stored in fewer colours.
LARGE = 50_000
_CELLS = ((1, 2), (2, 3), (2, 4), (4, 12), (5, 12), (5, 11), (8, 4), (10, 15))
_SHAPE = (12, 18)
_LAYERS = 2


def _active(grids: torch.Tensor) -> torch.Tensor:
    picture = torch.zeros(_SHAPE)
    picture[grids[:, 1], grids[:, 2]] = 1
    return picture


def _draw(axes: Axes, cells: torch.Tensor, title: str, colour: str) -> None:
    shown = mpl.colors.ListedColormap(["#f4f5f7", colour])
    axes.pcolormesh(_active(cells), cmap=shown, vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
    axes.set_title(f"{title}\n{len(cells)} active cells of {_SHAPE[0] * _SHAPE[1]}", fontsize=10)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.axis("off")


def submanifold() -> Figure:
    """Draw the active cells of a grid, and those after some convolutions of either kind.

    Returns:
        The picture: the input, submanifold layers, and layers onto every cell that sees one.
    """
    coords = torch.tensor([(0, *cell) for cell in _CELLS])
    x = sparse_tensor(coords, torch.ones(len(coords), 1), spatial_shape=_SHAPE, batch_size=1)
    kept = spread = x
    for _ in range(_LAYERS):
        kept = SubmanifoldConv2d(1, 1, kernel_size=3)(kept)
        spread = SparseConv2d(1, 1, kernel_size=3, padding=1)(spread)
    figure = Figure(figsize=(8, 2.4), layout="constrained")
    before, middle, after = figure.subplots(1, 3)
    _draw(before, x.coords, "input", "#3f51b5")
    _draw(middle, kept.coords, f"{_LAYERS} submanifold convolutions", "#3f51b5")
    _draw(after, spread.coords, f"{_LAYERS} ordinary convolutions", "#e07a5f")
    return figure


def shrink(picture: Path) -> None:
    """Store a picture of few colours in a few bits per pixel.

    Args:
        picture: A PNG, which is replaced.
    """
    with Image.open(picture) as image:
        image.convert("RGB").quantize(64).save(picture, optimize=True)


if __name__ == "__main__":
    submanifold().savefig(IMAGES / "submanifold.png", dpi=140)
    with tempfile.TemporaryDirectory() as folder:
        take_pictures(IMAGES, Path(folder))
    for made in IMAGES.glob("*.png"):
        if made.stat().st_size > LARGE:
            shrink(made)
