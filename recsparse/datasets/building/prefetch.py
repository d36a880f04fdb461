"""Making the next block while this one is used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Block = TypeVar("Block")


def prefetched(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield blocks, the next of which is made in another thread meanwhile.

    NumPy, Arrow and DuckDB let other threads run while they work.

    Args:
        blocks: Any blocks, none of them None.

    Yields:
        The same blocks in the same order.

    Example:
        >>> list(prefetched([3, 1, 2]))
        [3, 1, 2]
    """
    iterator = iter(blocks)
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(next, iterator, None)
        while (block := upcoming.result()) is not None:
            upcoming = pool.submit(next, iterator, None)
            yield block
