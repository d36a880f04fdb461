"""Giving memory back to the system between the steps of a long job."""

import ctypes
import sys

import pyarrow as pa


def release_unused() -> None:
    """Return what Arrow and the C library hold of freed memory.

    Both keep freed memory for what may come; the next step needs other sizes, so that what it takes
    would come on top.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc, not of musl
        if trim is not None:
            trim(ctypes.c_size_t(0))
