"""How fast bags of words are encoded, forward and backward, next to torch's own ways to do it.

`python -m benchmarks.bags [--rounds 5] [--threads 1] [--out FILE]`

Random bags whose words fall off in frequency are encoded by `BagOfWordsEncoder`, and by three
rivals of the same weights: `torch.nn.EmbeddingBag` with a weight for each word, a product with a
sparse CSR matrix, and a gather of the word vectors that torch-scatter adds up. A turn is a forward
pass and the gradient of the word vectors. The contenders take turns in one process; milliseconds
are medians, ratios medians of those of each round.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import typer
from torch import Tensor

from benchmarks.measuring.turns import Out, Rounds, Threads, row_of, show_rows
from recsparse.layers.text import BagOfWordsEncoder
from recsparse.sparse.scatter import scatter_sum
from recsparse.sparse.tensor import SparseTensor, sparse_tensor

OURS = "recsparse"
Encode = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Case:
    """What is encoded.

    Attributes:
        name: What it resembles.
        documents: Number of bags.
        words: Size of the vocabulary.
        cells: Words that are drawn; those drawn twice for a bag count once.
        channels: Length of a vector.
    """

    name: str
    documents: int
    words: int
    cells: int
    channels: int


CASES = (
    Case("reviews of 900 items", 892, 19_380, 400_000, 128),
    Case("attributes of 12,000 items", 12_068, 637, 45_000, 128),
    Case("abstracts of 16,000 items", 16_000, 20_000, 1_000_000, 256),
)


def random_bags(case: Case, seed: int = 0) -> SparseTensor:
    """Draw bags of words.

    Args:
        case: The sizes.
        seed: Of the choice.

    Returns:
        One sample a bag.
    """
    random = torch.Generator().manual_seed(seed)
    document = torch.randint(case.documents, (case.cells,), generator=random)
    word = (torch.rand(case.cells, generator=random) ** 3 * case.words).long()
    cell = torch.unique(document * case.words + word)
    coords = torch.stack([cell // case.words, cell % case.words], dim=1)
    weights = torch.rand(len(cell), 1, generator=random)
    return sparse_tensor(coords, weights, (case.words,), case.documents)


def contenders(bags: SparseTensor) -> Mapping[str, Encode]:
    """Return all ways to encode some bags; what does not depend on the vectors is done before.

    Args:
        bags: One sample a bag.

    Returns:
        Functions of the word vectors, by name.
    """
    document, word = bags.coords.T.contiguous()
    weight = bags.feats[:, 0].contiguous()
    starts = torch.searchsorted(document, torch.arange(bags.batch_size + 1))
    shape = bags.batch_size, bags.spatial_shape[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        matrix = torch.sparse_csr_tensor(starts, word, weight, shape, check_invariants=False)
    encoder = BagOfWordsEncoder(shape[1], 1, bias=False)

    def ours(vectors: Tensor) -> Tensor:
        encoded: Tensor = torch.func.functional_call(encoder, {"weight": vectors}, (bags,))
        return encoded

    def embedding_bag(vectors: Tensor) -> Tensor:
        return torch.nn.functional.embedding_bag(
            word, vectors, starts, mode="sum", per_sample_weights=weight, include_last_offset=True
        )

    return {
        OURS: ours,
        "torch.nn.EmbeddingBag": embedding_bag,
        "torch.sparse CSR": lambda vectors: torch.sparse.mm(matrix, vectors),
        "gather, torch-scatter": lambda vectors: scatter_sum(
            weight[:, None] * torch.nn.functional.embedding(word, vectors), document, shape[0]
        ),
    }


def run(rounds: Rounds = 5, threads: Threads = 1, out: Out = None) -> None:
    """Measure all contenders and show the table."""
    torch.set_num_threads(threads)
    rows = [measure(case, rounds) for case in CASES]
    show_rows("Bags of words, forward and backward, milliseconds", rows, out)


def measure(case: Case, rounds: int) -> dict[str, object]:
    """Time the contenders in turns, after one turn each that is not timed.

    Args:
        case: The sizes.
        rounds: Turns of each.

    Returns:
        One row of the table.

    Raises:
        AssertionError: If results or gradients differ.
    """
    torch.manual_seed(0)
    bags = random_bags(case)
    vectors = torch.randn(case.words, case.channels)
    grad = torch.randn(case.documents, case.channels)
    taken: dict[str, list[float]] = {}
    first: tuple[Tensor, Tensor] | None = None
    for turn in range(rounds + 1):
        for name, encode in contenders(bags).items():
            given = vectors.clone().requires_grad_()
            started = time.perf_counter()
            encoded = encode(given)
            (gradient,) = torch.autograd.grad(encoded, given, grad)
            seconds = time.perf_counter() - started
            first = first or (encoded.detach(), gradient)
            for found, expected in zip((encoded.detach(), gradient), first, strict=True):
                assert torch.allclose(found, expected, rtol=1e-4, atol=1e-3), name
            if turn:
                taken.setdefault(name, []).append(1e3 * seconds)
    like = f"{case.name}, {case.channels} channels"
    return row_of(like, taken, OURS)


if __name__ == "__main__":
    typer.run(run)
