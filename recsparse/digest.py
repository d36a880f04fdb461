"""Digests that tell data from other data by all of its content."""

import hashlib
from pathlib import Path
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


def folder_digest(folder: str | Path) -> str:
    """Return a sha256 of all that is in a folder: the names of its files and all their bytes.

    Args:
        folder: The folder; hidden files are passed over.

    Returns:
        64 hexadecimal digits, the same for the same files wherever they lie.
    """
    folder, found = Path(folder), hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in sorted(files.items()):
        if name.startswith(".") or "/." in name or not path.is_file():
            continue
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        found.update(f"{content} {name}\n".encode("utf-8", "surrogateescape"))
    return found.hexdigest()


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
