"""Giving freed memory back to the system between the steps of a long job."""

import ctypes
import sys


def trim_heap() -> None:
    """Return what the C library holds of freed memory.

    It keeps freed memory for what may come; the next step needs other sizes, so that what it takes
    would come on top. Does nothing where the C library is not that of GNU.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc, not of musl
        if trim is not None:
            trim(ctypes.c_size_t(0))
