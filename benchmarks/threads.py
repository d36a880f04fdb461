"""How far the scores of a model differ between numbers of threads, and how long they take.

`python -m benchmarks.threads [--kinds timeline,sasrec] [--users 1000] [--items 3000] [--out FILE]`

Each model is fitted once, on few random rows with one thread, and scores all of them with each
number of threads. Differences are the largest of any score, relative to the standard deviation of
all; a list has changed where its ten best items are others or in another order. The time is that of
the processor, which other jobs disturb less than that of the clock.
"""

import time
from typing import Annotated

import torch
import typer
from scipy.sparse import csr_matrix

from benchmarks.measuring.one_epoch import fitted, random_rows
from benchmarks.measuring.turns import Out, show_rows
from recsparse.metrics.top_k import top_k
from recsparse.models.protocol.recommender import Recommender

_FITTED_ROWS = 100
_KINDS = "ease,ials,gf_cf,light_gcn,mult_vae,sparse_grid,timeline,sasrec"
_THREADS = (1, 2, 3, 4)


def main(
    kinds: Annotated[str, typer.Option(help="Models, by commas.")] = _KINDS,
    users: int = 1000,
    items: int = 3000,
    out: Out = None,
) -> None:
    """Print one row per model and number of threads.

    Args:
        kinds: Models by commas.
        users: Rows that are scored.
        items: Size of the catalogue.
        out: A file for the table as well.
    """
    cells, times = random_rows(users, items)
    found = []
    for kind in kinds.split(","):
        torch.set_num_threads(1)
        model = fitted(kind, cells[:_FITTED_ROWS], times[:_FITTED_ROWS])
        found += differences(model, cells, times)
    show_rows("Scores by the number of threads", found, out)


def differences(
    model: Recommender, cells: csr_matrix, times: csr_matrix
) -> list[dict[str, object]]:
    """Compare scores of several numbers of threads with those of one.

    Args:
        model: A fitted model.
        cells: The rows to score.
        times: Of the cells.

    Returns:
        One row a number of threads.
    """
    rows: list[dict[str, object]] = []
    first: torch.Tensor | None = None
    for threads in _THREADS:
        torch.set_num_threads(threads)
        model.score_batch(cells[:1], times[:1])
        started = time.process_time()
        scores = model.score_batch(cells, times)
        seconds = time.process_time() - started
        first = scores if first is None else first
        changed = (top_k(scores, 10)[0] != top_k(first, 10)[0]).any(dim=1)
        rows.append(
            {
                "model": model.kind,
                "threads": threads,
                "largest difference": f"{(scores - first).abs().max() / first.std():.1e}",
                "users with other scores": int((scores != first).any(dim=1).sum()),
                "other lists": int(changed.sum()),
                "processor seconds": round(seconds, 2),
            }
        )
    return rows


if __name__ == "__main__":
    typer.run(main)
