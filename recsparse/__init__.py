"""Recommender models with sparse convolutions, from Parquet logs to scored Parquet.

- `recsparse.sparse`: sparse tensors, kernel maps, convolution on active cells; torch only.
- `recsparse.layers`: modules over sparse tensors.
- `recsparse.datasets`: logs, vocabularies, splits, orders, grids, bags of words.
- `recsparse.models`: recommenders that score a user's row.
- `recsparse.training`, `recsparse.evaluation`, `recsparse.scoring`: fit, rank, batch jobs.
- `recsparse.stages`: the steps of a job; the `recsparse` command and `pipelines` call them.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsparse.config.toml_reader import load_config
    from recsparse.errors import RecsparseError
    from recsparse.sparse.concatenate import cat
    from recsparse.sparse.grid import Grid
    from recsparse.sparse.positions import from_positions, to_positions
    from recsparse.sparse.sets import difference, grid_of, intersection, union
    from recsparse.sparse.tensor import SparseTensor, sparse_tensor
    from recsparse.stages.load import load

__all__ = [
    "Grid",
    "RecsparseError",
    "SparseTensor",
    "cat",
    "difference",
    "from_positions",
    "grid_of",
    "intersection",
    "load",
    "load_config",
    "sparse_tensor",
    "to_positions",
    "union",
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
    "load": "stages.load",
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
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


if sys.modules.get("torch") is not None:
    # Who has torch may read a file of sparse tensors by `torch.load`, which must know their class.
    import_module(f"{__name__}.sparse.tensor")
