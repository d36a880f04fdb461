"""How fast the networks of time read histories, forward and backward, next to torch's Transformer.

`python -m benchmarks.steps [--rounds 5] [--threads 1] [--out FILE]`

Random histories, whose lengths are spread as those of a log are, are read by the networks of
`TimelineRecommender` and `SASRec` of 128 channels, and by `torch.nn.TransformerEncoderLayer` with
the weights of SASRec on histories that are padded to the longest of the batch, as is usual. A turn
is a forward pass and the gradient of all weights; the softmax over the items, the same for all, is
left out. The contenders take turns in one process; milliseconds are medians, ratios medians of
those of each round.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import typer
from torch import Tensor, nn

from benchmarks.measuring.turns import Out, Rounds, Threads, row_of, show_rows
from recsparse.config.event_models import SASRecConfig, TimelineConfig
from recsparse.models.event_networks.sasrec import SASRecNetwork
from recsparse.models.event_networks.timeline import TimelineNetwork
from recsparse.models.histories.sequences import Events, Sequences

OURS = "timeline"
# How torch's layer calls the weights of a block of SASRec.
_NAMES = {
    "self_attn.in_proj_": "queries_keys_values.",
    "self_attn.out_proj.": "merge.",
    "norm1.": "attention_norm.",
    "linear1.": "feed_forward.1.",
    "norm2.": "feed_forward.0.",
    "linear2.": "feed_forward.4.",
}


@dataclass(frozen=True)
class Case:
    """Histories that are read at once.

    Attributes:
        name: What they resemble.
        users: How many there are.
        typical: The median of their lengths.
        spread: The standard deviation of the logarithm of their lengths.
        most: The length of none is larger.
        channels: Length of a vector.
    """

    name: str
    users: int
    typical: int
    spread: float
    most: int = 200
    channels: int = 128


CASES = (
    Case("MovieLens-1M", 64, 65, 0.9),
    Case("Amazon Beauty", 256, 4, 0.95),
)


def random_events(case: Case, num_items: int, seed: int = 0) -> Events:
    """Draw histories.

    Args:
        case: The sizes.
        num_items: Number of items.
        seed: Of the choice.

    Returns:
        All events, one user after the other.
    """
    random = np.random.default_rng(seed)
    drawn = random.lognormal(np.log(case.typical), case.spread, case.users)
    row_ptr = np.concatenate([[0], np.cumsum(drawn.astype(np.int64).clip(1, case.most))])
    items = random.integers(num_items, size=row_ptr[-1])
    weights = np.ones(len(items), np.float32)
    return Sequences(items, np.zeros_like(items), weights, row_ptr).events()


class PaddedTransformer(nn.Module):
    """Torch's Transformer with the weights of a SASRec, on padded histories.

    Args:
        network: The SASRec, whose embeddings and last norm it shares.
        config: Its sizes.
    """

    def __init__(self, network: SASRecNetwork, config: SASRecConfig) -> None:
        super().__init__()
        self.network = network
        self.layers = nn.ModuleList(_layer_of(block, config) for block in network.blocks)

    def forward(self, events: Events) -> Tensor:
        """Summarise what was known at each event.

        Args:
            events: The events of some users.

        Returns:
            One vector per event, that of the SASRec.
        """
        user, position = events.grid.coords[:, 1], events.grid.coords[:, 2]
        num_users, longest = events.grid.spatial_shape
        ages = torch.bincount(user)[user] - 1 - position
        feats = self.network.embedded(events) + self.network.positions(ages)
        padded = feats.new_zeros(num_users, longest, feats.shape[1])
        x = padded.index_put((user, position), self.network.dropout(feats))
        mask = nn.Transformer.generate_square_subsequent_mask(longest)
        for layer in self.layers:
            x = layer(x, mask, is_causal=True)
        summary: Tensor = self.network.norm(x[user, position])
        return summary


def _layer_of(block: nn.Module, config: SASRecConfig) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(
        config.channels,
        config.heads,
        2 * config.channels,
        config.dropout,
        "gelu",
        batch_first=True,
        norm_first=True,
    )
    weights = block.state_dict()
    layer.load_state_dict(
        {
            theirs + end: weights[own + end]
            for theirs, own in _NAMES.items()
            for end in ("weight", "bias")
        }
    )
    return layer


def contenders(case: Case, num_items: int, dropout: float) -> Mapping[str, nn.Module]:
    """Return the networks.

    Args:
        case: The sizes.
        num_items: Number of items.
        dropout: Of all of them.

    Returns:
        Modules that read events, by name.
    """
    torch.manual_seed(0)
    attention = SASRecConfig(channels=case.channels, dropout=dropout)
    convolution = TimelineConfig(channels=case.channels, dropout=dropout)
    sasrec = SASRecNetwork(attention, num_items)
    return {
        OURS: TimelineNetwork(convolution, num_items),
        "sasrec": sasrec,
        "torch's Transformer, padded": PaddedTransformer(sasrec, attention),
    }


def run(rounds: Rounds = 5, threads: Threads = 1, out: Out = None) -> None:
    """Measure all contenders and show the table."""
    torch.set_num_threads(threads)
    rows = [measure(case, rounds) for case in CASES]
    show_rows("Histories read, forward and backward, milliseconds", rows, out)


def measure(case: Case, rounds: int, num_items: int = 4_000) -> dict[str, object]:
    """Time the contenders in turns, after one turn each that is not timed.

    Args:
        case: The sizes.
        rounds: Turns of each.
        num_items: Number of items.

    Returns:
        One row of the table.
    """
    events = random_events(case, num_items)
    networks = contenders(case, num_items, dropout=0.2)
    grad = torch.randn(len(events.items), case.channels)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(rounds + 1):
        for name, network in networks.items():
            network.zero_grad()
            started = time.perf_counter()
            network(events).backward(grad)
            if turn:
                taken[name].append(1e3 * (time.perf_counter() - started))
    longest = events.grid.spatial_shape[1]
    like = f"{case.name}, {case.users} users, {len(grad)} events, at most {longest} per user"
    return row_of(like, taken, OURS, OURS)


if __name__ == "__main__":
    typer.run(run)
