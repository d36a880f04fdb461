"""The best columns of each row of a product of matrices, of which few rows are held at a time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.metrics.best_of_rows import best_of_block, groups_of_columns, mask

# Products that are held at a time, for each thread: 10 MB, which stay near the processor.
_PRODUCTS_AT_ONCE = 2_600_000


@dataclass(frozen=True, eq=False)
class ProductsToRank:
    """Vectors whose products are ranked, and what may not be taken.

    Attributes:
        rows: One vector per list, float32, on the CPU.
        columns: One vector per column.
        seen: Cells that may not be taken, one row per list; None for none.
        excluded: Columns that may not be taken.
        k: How many columns are wanted.
    """

    rows: Float[Tensor, "b d"]
    columns: Float[Tensor, "m d"]
    seen: csr_matrix | None
    excluded: NDArray[np.int64]
    k: int

    def best(self, threads: int = 1) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the columns of the k largest products of each row, and these products.

        Args:
            threads: Of the search; products take those of torch.

        Returns:
            Rows × k, as `RowsToRank.best`, and the products, −∞ in empty places.
        """
        found = np.full((len(self.rows), self.k), -1, dtype=np.int64)
        values = np.full(found.shape, -np.inf, dtype=np.float32)
        num_groups, group = groups_of_columns(len(self.columns), self.k)
        width = num_groups * group
        at_once = max(1, _PRODUCTS_AT_ONCE // max(width, 1))
        buffer = torch.empty(min(at_once * threads, len(found)), width)
        search = partial(self._search, buffer.numpy(), num_groups, found, values)
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, len(found) if width else 0, max(1, len(buffer))):
                some = self.rows[first : first + len(buffer)]
                out = buffer[: len(some), : len(self.columns)]
                torch.mm(some, self.columns.T, out=out)
                parts = range(0, len(some), at_once)
                ends = [min(start + at_once, len(some)) for start in parts]
                run = map if threads == 1 else pool.map
                list(run(partial(search, first), parts, ends))
        return found, values

    def _search(
        self,
        buffer: NDArray[np.float32],
        num_groups: int,
        found: NDArray[np.int64],
        values: NDArray[np.float32],
        first: int,
        start: int,
        end: int,
    ) -> None:
        block, lists = buffer[start:end], slice(first + start, first + end)
        block[:, len(self.columns) :] = -np.inf  # what the last groups lack
        mask(block, self.seen, self.excluded, lists.start)
        best = best_of_block(block, num_groups, self.k)
        found[lists, : best.shape[1]] = best
        scores = np.take_along_axis(block, best.clip(min=0), axis=1)
        values[lists, : best.shape[1]] = np.where(best < 0, -np.inf, scores)
