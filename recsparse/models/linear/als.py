"""Alternating least squares: the solver that iALS and the grid network start from."""

from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.linear_models import IALSConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.errors import InputError
from recsparse.models.linear.short_rows import (
    LONGEST_SHORT_ROW,
    RotatedColumns,
    padded_rows,
    short_row_blocks,
    solve_short_rows,
)
from recsparse.models.protocol.warm_start import WarmStart, rows_of_items
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.sparse.ridge import ridge_pool

# Numbers in the d × d systems that are solved at once: 1 MB, which stay near the processor; larger
# blocks were several times slower, since the allocator returns their pages each time.
_SYSTEM_SIZE = 2**18
# Of an empty cell, relative to the share of active ones: what tuning finds on logs whose shares lie
# a hundred times apart.
_EMPTY_PER_ACTIVE = 10.0
WithEmptyWeight = TypeVar("WithEmptyWeight", IALSConfig, SparseGridConfig)


def with_empty_weight(config: WithEmptyWeight, interactions: csr_matrix) -> WithEmptyWeight:
    """Return a configuration that says what an empty cell weighs.

    Args:
        config: A configuration that may leave it open.
        interactions: Users × items, with at least one.

    Returns:
        The configuration, with ten times the share of active cells where it was left open.
    """
    if config.unobserved_weight is not None:
        return config
    return config.model_copy(update={"unobserved_weight": empty_weight(interactions)})


def empty_weight(interactions: csr_matrix) -> float:
    """Return what an empty cell weighs unless it is set.

    Args:
        interactions: Users × items, with at least one.

    Returns:
        Ten times the share of active cells.
    """
    num_rows, num_columns = interactions.shape
    return _EMPTY_PER_ACTIVE * interactions.nnz / (num_rows * num_columns)


def als_factors(
    interactions: csr_matrix,
    config: IALSConfig,
    seed: int,
    warm_start: WarmStart | None = None,
    reporter: Reporter = SILENT,
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
    """Factorise a matrix of interactions.

    Args:
        interactions: Users × items, positive weights.
        config: Sizes, weights (that of an empty cell among them), iterations.
        seed: Of the starting item factors.
        warm_start: A fitted model with `item_factors` to start from.
        reporter: Shows the iterations.

    Returns:
        User factors and item factors.

    Raises:
        InputError: If the fitted model has another number of factors.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = interactions.shape[1], config.factors
    items = torch.randn(shape, generator=generator) * (0.1 / config.factors**0.5)
    if warm_start is not None:
        known: Tensor = warm_start.model.item_factors  # type: ignore[attr-defined]
        items = rows_of_items(known, warm_start, items)
    by_item = interactions.T.tocsr()
    with reporter.task("alternating least squares", config.iterations) as advance:
        users = half_step(interactions, items, config)
        for done in range(1, config.iterations):
            items = half_step(by_item, users, config)
            advance(done)
            users = half_step(interactions, items, config)
        return users, half_step(by_item, users, config)


def half_step(
    rows: csr_matrix, columns: Float[Tensor, "m d"], config: IALSConfig
) -> Float[Tensor, "n d"]:
    """Solve for the factors of the rows, given those of the columns.

    Args:
        rows: Interactions, one row a vector to solve for.
        columns: The factors of the columns.
        config: Weight of empty cells and regularisation.

    Returns:
        One vector per row; zero for a row without interactions.

    Raises:
        InputError: If the configuration leaves the weight of an empty cell open.
    """
    if config.unobserved_weight is None:
        raise InputError(
            "half_step needs config.unobserved_weight, but it is None; see with_empty_weight"
        )
    prior_gram = config.unobserved_weight * (columns.T @ columns)
    solved, length = columns.new_zeros(rows.shape[0], columns.shape[1]), np.diff(rows.indptr)
    is_short = length <= LONGEST_SHORT_ROW * columns.shape[1]
    if is_short.any():
        rotated, ridge = RotatedColumns.of(columns, prior_gram), _ridge(length, columns, config)
        if columns.dtype == torch.float32 and not rotated.suits(ridge):
            # With next to no regularisation, float32 has too few digits.
            return half_step(rows.astype(np.float64), columns.double(), config).float()
        for some in short_row_blocks(length * is_short, columns.shape[1]):
            solved[some] = solve_short_rows(rotated, *padded_rows(rows, some), ridge[some])
    others = np.flatnonzero(~is_short)
    left = rows if len(others) == len(length) else rows[others]
    for block in row_blocks(left, columns):
        solved[others[block]] = _solve_rows(left[block], columns, prior_gram, config)
    return solved


def row_blocks(rows: csr_matrix, columns: Float[Tensor, "m d"]) -> list[slice]:
    """Return the rows some at a time, so few that their systems stay near the processor.

    Args:
        rows: As for `half_step`.
        columns: As for `half_step`.

    Returns:
        Slices of the rows.
    """
    at_once = max(1, _SYSTEM_SIZE // columns.shape[1] ** 2)
    return [slice(start, start + at_once) for start in range(0, rows.shape[0], at_once)]


def _solve_rows(
    rows: csr_matrix, columns: Tensor, prior_gram: Tensor, config: IALSConfig
) -> Tensor:
    feats, weights, row_ptr, ridge = row_systems(rows, columns, config)
    return ridge_pool(feats, weights, row_ptr, prior_gram, ridge)


def row_systems(
    rows: csr_matrix, columns: Float[Tensor, "m d"], config: IALSConfig
) -> tuple[
    Float[Tensor, "n d"], Float[Tensor, " n"], Int[Tensor, " rows_1"], Float[Tensor, " rows"]
]:
    """Return what the ridge regressions of rows are made of.

    Args:
        rows: As for `half_step`.
        columns: As for `half_step`.
        config: As for `half_step`.

    Returns:
        The vector and the weight of each cell, where the rows begin, and the ridge of each row.
    """
    row_ptr = torch.from_numpy(rows.indptr).long()
    feats = columns[torch.from_numpy(rows.indices).long()]
    weights = torch.from_numpy(rows.data).to(feats.dtype)
    return feats, weights, row_ptr, _ridge(np.diff(rows.indptr), columns, config)


def _ridge(
    length: NDArray[np.integer], columns: Float[Tensor, "m d"], config: IALSConfig
) -> Float[Tensor, " rows"]:
    frequency = torch.from_numpy(length) + (config.unobserved_weight or 0.0) * len(columns)
    return config.regularisation * frequency.to(columns.dtype) ** config.frequency_exponent
