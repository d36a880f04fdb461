"""Recommender models with sparse convolutions, from Parquet logs to scored Parquet.

- `recsparse.sparse`: sparse tensors, kernel maps, convolution on active cells; torch only.
- `recsparse.layers`: modules over sparse tensors.
- `recsparse.datasets`: logs, vocabularies, splits, orders, grids, bags of words.
- `recsparse.models`: recommenders that score a user's row.
- `recsparse.training`, `recsparse.evaluation`, `recsparse.scoring`: fit, rank, batch jobs.
- `recsparse.stages`: the steps of a job; the `recsparse` command and `pipelines` call them.

The steps by name: `recsparse.prepare`, `train`, `evaluate`, `backtest`, `score`, `recommend`,
`similar`, `vectors`, `describe`, `fetch` and `load`; `Sources` names all that a dataset is made of.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsparse.config.toml_reader import load_config
    from recsparse.datasets.building.sources import Sources
    from recsparse.errors import RecsparseError
    from recsparse.sparse.concatenate import cat
    from recsparse.sparse.grid import Grid
    from recsparse.sparse.positions import from_positions, to_positions
    from recsparse.sparse.sets import difference, grid_of, intersection, union
    from recsparse.sparse.tensor import SparseTensor, sparse_tensor
    from recsparse.stages.backtest import backtest
    from recsparse.stages.describe import describe
    from recsparse.stages.evaluate import evaluate
    from recsparse.stages.fetch import fetch
    from recsparse.stages.load import load
    from recsparse.stages.prepare import prepare
    from recsparse.stages.score import recommend, score
    from recsparse.stages.similar import similar
    from recsparse.stages.train import train
    from recsparse.stages.vectors import vectors

    __version__: str

__all__ = [
    "Grid",
    "RecsparseError",
    "Sources",
    "SparseTensor",
    "__version__",
    "backtest",
    "cat",
    "describe",
    "difference",
    "evaluate",
    "fetch",
    "from_positions",
    "grid_of",
    "intersection",
    "load",
    "load_config",
    "prepare",
    "recommend",
    "score",
    "similar",
    "sparse_tensor",
    "to_positions",
    "train",
    "union",
    "vectors",
]

_HOME = {
    "RecsparseError": "errors",
    "Grid": "sparse.grid",
    "SparseTensor": "sparse.tensor",
    "sparse_tensor": "sparse.tensor",
    "cat": "sparse.concatenate",
    "to_positions": "sparse.positions",
    "from_positions": "sparse.positions",
    "grid_of": "sparse.sets",
    "union": "sparse.sets",
    "intersection": "sparse.sets",
    "difference": "sparse.sets",
    "load_config": "config.toml_reader",
    "Sources": "datasets.building.sources",
    "backtest": "stages.backtest",
    "describe": "stages.describe",
    "evaluate": "stages.evaluate",
    "fetch": "stages.fetch",
    "load": "stages.load",
    "prepare": "stages.prepare",
    "recommend": "stages.score",
    "score": "stages.score",
    "similar": "stages.similar",
    "train": "stages.train",
    "vectors": "stages.vectors",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that preparing data need not wait for torch, nor layers for MLflow.

    Args:
        name: Of the attribute.

    Returns:
        What has that name.

    Raises:
        AttributeError: If there is none.
    """
    if name == "__version__":
        return import_module("importlib.metadata").version(__name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


if sys.modules.get("torch") is not None:
    # Who has torch may read a file of sparse tensors by `torch.load`, which must know their class.
    import_module(f"{__name__}.sparse.tensor")
