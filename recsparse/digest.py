"""Digests that tell data from other data by all of its content."""

import hashlib
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Hashed: TypeAlias = NDArray[Any] | csr_matrix | str | None


def digest(*parts: Hashed) -> str:
    """Return a SHA-256 of some data; the order of the parts counts.

    Args:
        *parts: Arrays of numbers, matrices with their shape and the order of their cells, texts, or
            None for what is not there.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError: If an array holds Python objects.

    Example:
        >>> digest(np.array([1, 2])) == digest(np.array([0, 1, 2])[1:])
        True
        >>> digest(np.array([1, 2])) == digest(np.array([2, 1]))
        False
    """
    content = hashlib.sha256()
    for part in parts:
        _add(content, part)
    return content.hexdigest()


def _add(content: "hashlib._Hash", part: Hashed) -> None:
    # Kinds and lengths go first, so that no two lists of parts give the same bytes.
    if part is None or isinstance(part, str):
        text = (part or "").encode()
        content.update(f"{type(part).__name__} {len(text)} ".encode())
        content.update(text)
    elif isinstance(part, csr_matrix):
        content.update(f"csr {part.shape} ".encode())
        for array in (part.indptr, part.indices, part.data):
            _add(content, array)
    else:
        if part.dtype.hasobject:
            raise TypeError(f"an array must hold numbers to be digested, but got {part.dtype}")
        content.update(f"{part.dtype.str} {part.shape} ".encode())
        content.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
