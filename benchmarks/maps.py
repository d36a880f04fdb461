"""Whether a user's history is a picture: items on a learned map, two-dimensional convolutions.

`python -m benchmarks.maps [--seeds 3] [--out maps]`

The items of MovieLens-100K are laid out on a square map, similar ones side by side, so that a
history is a sparse image of as many cells as it has items. A network convolves the image, pools its
cells and scores all items; it is trained to rank hidden cells first, as the network of
`SparseGridRecommender` is. Windows on the learned map are compared with the same windows on a
random map and with kernels of one cell, and so is a pyramid down to coarse clusters of items and
back, a U-Net. Validation ends the training, the test part is read once.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import torch
import typer
from jaxtyping import Float, Int
from rich.console import Console
from scipy.sparse import csr_matrix
from sklearn.manifold import TSNE
from torch import Tensor, nn

from benchmarks.protocols.differences import differences
from benchmarks.protocols.protocols import PROTOCOLS
from recsparse.cli.exit import exit_on_error
from recsparse.cli.terminal import show_frame
from recsparse.config.linear_models import IALSConfig
from recsparse.config.training import TrainingConfig
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.parts import EvaluationPart
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.files.atomic import atomic_file
from recsparse.layers.activation import SparseGELU
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.networks.unet import SparseUNet
from recsparse.layers.norm import SparseLayerNorm
from recsparse.layers.pool import GlobalPool
from recsparse.layers.residual import ResidualBlock
from recsparse.layers.sequential import SparseSequential
from recsparse.models.linear.als import als_factors, with_empty_weight
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import HiddenCells
from recsparse.models.protocol.validation import Judge
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from recsparse.training.optimise import optimise_network

PROTOCOL, METRIC = "ml100k-random", "ndcg@10"
TRAINING = TrainingConfig(epochs=40, batch_users=64, learning_rate=3e-3, patience=8)
CHANNELS, HIDDEN_SHARE = 32, 0.3
console = Console()


@dataclass(frozen=True)
class Variant:
    """A network on a map.

    Attributes:
        map: Where similar items are, or anywhere.
        trunk: Residual blocks of a window, or a U-Net.
        window: Width of the window.
    """

    map: Literal["learned", "random"] = "learned"
    trunk: Literal["blocks", "pyramid"] = "blocks"
    window: int = 3


VARIANTS = {
    "kernels of one cell": Variant(window=1),
    "window 3 x 3, learned map": Variant(),
    "window 3 x 3, random map": Variant("random"),
    "window 7 x 7, learned map": Variant(window=7),
    "window 7 x 7, random map": Variant("random", window=7),
    "pyramid, learned map": Variant(trunk="pyramid"),
    "pyramid, random map": Variant("random", "pyramid"),
}


def run(
    seeds: Annotated[int, typer.Option(help="Number of splits.", min=1)] = 3,
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("maps"),
) -> None:
    """Measure all variants and show what each changes."""
    found: dict[str, list[pd.Series]] = {name: [] for name in VARIANTS}
    for seed, name in itertools.product(range(seeds), VARIANTS):
        file = out / f"seed-{seed}" / f"{name.replace(' ', '-')}.parquet"
        if not file.exists():
            data = PROTOCOLS[PROTOCOL].dataset(seed, out / f"seed-{seed}" / "dataset")
            result = measure(VARIANTS[name], data, seed)
            with atomic_file(file) as aside:
                pd.DataFrame(dict(result.per_user)).to_parquet(aside)
        found[name].append(pd.read_parquet(file)[METRIC])
        console.print(f"seed {seed}, {name}: {found[name][-1].mean():.4f}")
    show_frame(f"{PROTOCOL}, {METRIC}, {seeds} seeds", differences(found))


def measure(variant: Variant, data: Dataset, seed: int) -> RankingResult:
    """Train a variant and rank the test part.

    Args:
        variant: The network.
        data: The dataset.
        seed: Of all that is random.

    Returns:
        Metrics per user.
    """
    log, validation = data.train_matrix(), data.evaluation_part("validation")
    config = with_empty_weight(IALSConfig(factors=CHANNELS), log)
    _, vectors = als_factors(log, config, seed)
    place = map_of(vectors.numpy(), variant.map, seed)
    torch.manual_seed(seed)
    network = MapNetwork(variant, torch.from_numpy(place), vectors)

    def rank(part: EvaluationPart) -> RankingResult:
        def score(history: csr_matrix, _: csr_matrix | None = None) -> Tensor:
            network.eval()
            with torch.inference_mode():
                scores: Tensor = network(SparseTensor.from_scipy(history)).clone()
            return scores

        return evaluate_ranking(score, part.history, part.targets, [METRIC])

    objective = HiddenCells(network, log, HIDDEN_SHARE)
    judge = Judge("validation_ndcg", lambda: rank(validation).mean()[METRIC])
    optimise_network(objective, FitContext(TRAINING, seed), judge)
    return rank(data.evaluation_part("test"))


def map_of(vectors: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Give every item a cell of a square map of its own.

    Args:
        vectors: One vector per item.
        kind: `learned` puts items of similar vectors side by side, `random` does not.
        seed: Of the layout.

    Returns:
        Row and column of each item.
    """
    num_items = len(vectors)
    if kind == "learned":
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        points = TSNE(random_state=seed, init="pca").fit_transform(unit)
    else:
        points = np.random.default_rng(seed).random((num_items, 2))
    side = int(np.ceil(num_items**0.5))
    place = np.empty((num_items, 2), dtype=np.int64)
    # Columns of equally many items from left to right, each sorted from top to bottom.
    for column, items in enumerate(np.split(points[:, 0].argsort(), range(side, num_items, side))):
        place[items[points[items, 1].argsort()], 0] = np.arange(len(items))
        place[items, 1] = column
    return place


class MapNetwork(nn.Module):
    """Convolves the cells of each history on the map, pools them, and scores all items.

    Args:
        variant: Its trunk.
        place: Row and column of each item.
        vectors: The items' vectors, where theirs start.
    """

    place: Tensor

    def __init__(
        self, variant: Variant, place: Int[Tensor, "m 2"], vectors: Float[Tensor, "m d"]
    ) -> None:
        super().__init__()
        channels = vectors.shape[1]
        self.register_buffer("place", place)
        self.side = int(place.max()) + 1
        scaled = vectors / vectors.std()
        self.inputs, self.outputs = nn.Parameter(scaled.clone()), nn.Parameter(scaled.clone())
        self.bias = nn.Parameter(torch.zeros(len(vectors)))
        self.trunk: nn.Module
        if variant.trunk == "pyramid":
            widths = (channels, 2 * channels, 2 * channels)
            self.trunk = SparseUNet(2, channels, channels, widths, norm=SparseLayerNorm)
        else:
            self.trunk = SparseSequential(*(_block(channels, variant.window) for _ in range(2)))
        self.pool = GlobalPool("mean")
        self.head = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 256), nn.GELU(), nn.Dropout(0.2),
            nn.Linear(256, channels),
        )  # fmt: skip

    def forward(self, cells: SparseTensor) -> Float[Tensor, "rows m"]:
        """Score all items for some rows.

        Args:
            cells: One sample of shape (rows, items), one channel.

        Returns:
            Unnormalised log-probabilities.
        """
        rows, items = cells.coords[:, 1], cells.coords[:, 2]
        coords = torch.cat([rows[:, None], self.place[items]], dim=1)
        shape, num_rows = (self.side, self.side), cells.spatial_shape[0]
        pooled: Tensor = self.pool(
            self.trunk(sparse_tensor(coords, self.inputs[items], shape, num_rows))
        )
        scores: Tensor = self.head(pooled) @ self.outputs.T / 8 + self.bias
        return scores


def _block(channels: int, window: int) -> ResidualBlock:
    conv = SubmanifoldConv2d(channels, channels, window)
    return ResidualBlock(SparseLayerNorm(channels), conv, SparseGELU())


if __name__ == "__main__":
    exit_on_error(lambda: typer.run(run))
