"""How well the models rank: the demo's job on MovieLens-100K, on several random splits.

`python -m benchmarks.accuracy [--out benchmark] [--seeds 5]`

Each seed splits anew, tunes every model on that split's validation part, and reads its test part
once. What is done already is not done again.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from pipelines.demo import OURS, main
from recsparse.cli.terminal import show_frame
from recsparse.evaluation.report import COMPARISON

METRICS = ("ndcg@10", "recall@20", "coverage@20", "fit seconds")


def run(
    out: Annotated[Path, typer.Option(help="Folder of all outputs.")] = Path("benchmark"),
    seeds: Annotated[int, typer.Option(help="Number of splits.", min=2)] = 5,
) -> None:
    """Run the demo's job on each split and show mean and spread."""
    tables = []
    for seed in range(seeds):
        main(out=out / f"seed-{seed}", seed=seed)
        tables.append(pd.read_parquet(out / f"seed-{seed}" / "report" / COMPARISON))
    show_frame(f"MovieLens-100K, {seeds} random splits, mean ± standard deviation", spread(tables))
    show_frame(f"nDCG@10 of {OURS} over each, split by split", differences(tables))


def spread(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return mean and standard deviation over the splits of each metric.

    Args:
        tables: One comparison a split.

    Returns:
        One row a model.
    """
    groups = pd.concat(tables).groupby("model", sort=False)[list(METRICS)]
    mean, deviation = groups.mean(), groups.std()
    text = {
        metric: [f"{m:.4f} ± {d:.4f}" for m, d in zip(mean[metric], deviation[metric], strict=True)]
        for metric in METRICS
    }
    return pd.DataFrame({"model": mean.index, **text})


def differences(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return by how much our model's nDCG@10 is above each other's, paired by split.

    Args:
        tables: One comparison a split.

    Returns:
        One row a rival: mean, standard deviation over the splits, and splits won.
    """
    by_split = pd.DataFrame([table.set_index("model")["ndcg@10"] for table in tables])
    rows = []
    for rival in by_split.columns.drop(OURS):
        above = (by_split[OURS] - by_split[rival]).to_numpy()
        deviation = float(np.std(above, ddof=1))
        won = f"{int((above > 0).sum())} of {len(above)}"
        rows.append(
            {"over": rival, "mean": float(above.mean()), "deviation": deviation, "won": won}
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    typer.run(run)
