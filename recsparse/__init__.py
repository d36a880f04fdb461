"""Recommender models with sparse convolutions, from Parquet logs to scored Parquet.

- `recsparse.sparse`: sparse tensors, kernel maps, convolution on active cells; torch only.
- `recsparse.layers`: modules over sparse tensors.
- `recsparse.datasets`: logs, vocabularies, splits, orders, grids, bags of words.
- `recsparse.models`: recommenders that score a user's row.
- `recsparse.training`, `recsparse.evaluation`, `recsparse.scoring`: fit, rank, batch jobs.
- `recsparse.stages`: the steps of a job; the `recsparse` command and `pipelines` call them.
"""

from typing import TYPE_CHECKING, Any

from recsparse.errors import RecsparseError
from recsparse.sparse.concatenate import cat
from recsparse.sparse.grid import Grid
from recsparse.sparse.positions import from_positions, to_positions
from recsparse.sparse.sets import difference, grid_of, intersection, union
from recsparse.sparse.tensor import SparseTensor, sparse_tensor

if TYPE_CHECKING:
    from recsparse.config_file import load_config
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


def __getattr__(name: str) -> Any:
    """Import on first use what needs MLflow or pydantic, so that `import recsparse` stays quick.

    Args:
        name: Of the attribute.

    Returns:
        The function of that name.

    Raises:
        AttributeError: If there is none.
    """
    if name == "load":
        from recsparse.stages.load import load

        return load
    if name == "load_config":
        from recsparse.config_file import load_config

        return load_config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
