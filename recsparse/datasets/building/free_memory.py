"""Giving memory back to the system between the steps of building a dataset."""

import pyarrow as pa

from recsparse.heap import trim_heap


def release_unused() -> None:
    """Return what Arrow and the C library hold of freed memory."""
    pa.default_memory_pool().release_unused()
    trim_heap()
