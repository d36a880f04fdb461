"""StoredRows: the rows of users in a file of the model folder, read for those who are wanted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.digest import digest
from recsparse.errors import InputError, ModelFolderError
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.score_vectors import by_vectors
from recsparse.models.protocol.stored_arrays import check_row_ptr, checked_csr
from recsparse.scoring.array_file import StoredArray, Stream, read_arrays
from recsparse.scoring.checked_file import CheckedFile
from recsparse.scoring.made_vectors import WEIGHTS_OF_VECTORS
from recsparse.scoring.user_rows import RowsInMemory, UserRows

# With the times a row takes 16 bytes.
_KINDS = {
    "shape": np.int64,
    "indptr": np.int64,
    "indices": np.int32,
    "data": np.float32,
    "times": np.int64,
    "popularity": np.float32,
    "vectors": np.float32,
}
_TIMES, _VECTORS = "times", "vectors"
_OPTIONAL = {_TIMES, _VECTORS}


def arrays_of_rows(rows: UserRows) -> dict[str, NDArray[Any] | Stream]:
    """Return rows as named arrays.

    Args:
        rows: Any rows.

    Returns:
        What `StoredRows` reads back.

    Raises:
        InputError: If a cell is there twice, or has no time where others have.
    """
    history, times = rows.whole()
    history = _canonical(history)
    found = {
        "shape": np.array(history.shape),
        "indptr": history.indptr,
        "indices": history.indices,
        "data": history.data,
        "popularity": rows.popularity(),
    }
    if times is not None:
        times = _canonical(times)
        _require_same_cells(history, times)
        found[_TIMES] = times.data
    return {name: value.astype(_KINDS[name], copy=False) for name, value in found.items()}


class StoredRows(UserRows):
    """Rows in a file, which is read where they are wanted.

    Args:
        path: The file.
        sums: The checksums of its blocks.
        shape: The number of users and of items that it must have.

    Attributes:
        sha256: Of the whole file as it was written.

    Raises:
        ModelFolderError: If the file is missing or damaged.
        InputError: If it does not hold rows of that shape.
    """

    def __init__(self, path: Path, sums: bytes, shape: tuple[int, int]) -> None:
        file = CheckedFile(path, sums)
        self._folder, self.sha256 = path.parent, file.sha256
        self._arrays, self._about = read_arrays(file)
        self.shape, self._stored_shape = shape, shape
        self._model: FittedModel | None = None
        self.is_timed = _TIMES in self._arrays
        self._check_arrays(path.name)
        self._row_ptr: NDArray[np.int64] = self._arrays["indptr"].whole()
        check_row_ptr(self._row_ptr, shape[0], self._arrays["data"].shape[0], path.name)

    def timed(self, user_index: NDArray[np.int64]) -> tuple[csr_matrix, csr_matrix | None]:
        """Read from the file, and checked."""
        start, stop = self._ranges(user_index)
        history = self._matrix("data", start, stop)
        if not self.is_timed:
            return history, None
        seconds = self._arrays[_TIMES].rows(start, stop)
        parts = seconds, history.indices, history.indptr
        return history, csr_matrix(parts, shape=history.shape)

    def of(self, user_index: NDArray[np.int64]) -> csr_matrix:
        """Read from the file without the times."""
        return self._matrix("data", *self._ranges(user_index))

    def has_rows(self, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Read off where the rows begin."""
        start, stop = self._ranges(user_index)
        return stop > start

    def with_vectors_of(self, model: FittedModel, weights: str) -> "StoredRows":
        """Return the same rows, with the vectors that a model made from them, where they are there.

        Args:
            model: The model.
            weights: The SHA-256 of its weights.

        Returns:
            The rows.

        Raises:
            InputError: If the vectors are those of another model, or of other sizes.
        """
        if _VECTORS not in self._arrays:
            return self
        maker, found = by_vectors(model), self._arrays[_VECTORS].shape
        wanted = None if maker is None else (self.shape[0], maker.item_vectors().shape[1])
        if found != wanted or self._about.get(WEIGHTS_OF_VECTORS) != weights:
            raise InputError(
                f"vectors of users must be {wanted}, made by the weights that are there, but are "
                f"{found}, of {self._about.get(WEIGHTS_OF_VECTORS)}"
            )
        return self._with(_model=model)

    def vectors(
        self, model: FittedModel, user_index: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Read from the file, where they are of that very model."""
        if self._model is not model:
            return super().vectors(model, user_index)
        is_known = self.has_vectors(model, user_index)
        known = user_index[is_known]
        return is_known, self._arrays[_VECTORS].rows(known, known + 1)

    def has_vectors(self, model: FittedModel, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """All known users have one of that very model."""
        return (user_index >= 0) & (self._model is model)

    def popularity(self) -> NDArray[np.float32]:
        """As it was counted when the rows were written."""
        found = self._arrays["popularity"].whole()
        if not (np.isfinite(found).all() and (found >= 0).all()):
            raise self._unfit("shares of items must be finite and not negative, but are not")
        more = np.zeros(self.shape[1] - len(found), dtype=np.float32)
        return np.concatenate([found, more])

    def check(self) -> None:
        """All other bytes, too."""
        self._arrays["data"].file.check()
        super().check()
        self.popularity()

    def digest(self) -> str:
        """By the checksum of the file, which is not read for it."""
        return digest(self.sha256, repr(self.shape))

    def with_items(self, num_items: int) -> "StoredRows":
        """The same file."""
        return self._with(shape=(self.shape[0], num_items))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return all rows: where they are sent, there may be no such file."""
        return RowsInMemory, self.whole()

    def _with(self, **changes: Any) -> "StoredRows":
        other = object.__new__(StoredRows)
        other.__dict__.update(self.__dict__ | changes)
        return other

    def _ranges(self, user_index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        known = user_index >= 0
        start = self._row_ptr[np.where(known, user_index, 0)]
        if not known.any():
            return start, start
        behind = np.where(known, user_index + 1, 0)
        return start, np.where(known, self._row_ptr[behind], start)

    def _matrix(self, name: str, start: NDArray[np.int64], stop: NDArray[np.int64]) -> csr_matrix:
        row_ptr = np.concatenate([[0], (stop - start).cumsum()])
        data, columns = (self._arrays[each].rows(start, stop) for each in (name, "indices"))
        shape = len(start), self._stored_shape[1]
        try:
            found = checked_csr(data, columns, row_ptr, shape, "histories")
        except InputError as error:
            raise self._unfit(str(error)) from error
        if not found.has_canonical_format:
            raise self._unfit("cells must be sorted in their rows, each there once, but are not")
        if (found.data < 0).any():
            raise self._unfit("weights of histories must not be negative, but some are")
        if self.shape[1] == shape[1]:
            return found
        parts = found.data, found.indices, found.indptr
        return csr_matrix(parts, shape=(shape[0], self.shape[1]))

    def _check_arrays(self, file: str) -> None:
        unknown = set(self._arrays) - set(_KINDS)
        if unknown:
            raise InputError(f"{file} holds {sorted(unknown)}, which are not known")
        for name, kind in _KINDS.items():
            if name in _OPTIONAL and name not in self._arrays:
                continue
            if name not in self._arrays or self._arrays[name].kind != kind:
                raise InputError(f"{file} must hold {name} of {np.dtype(kind)}")
        found = self._arrays["shape"].whole().tolist()
        if found != [*self.shape]:
            raise InputError(f"histories must be of {self.shape} users and items, but are {found}")
        _check_sizes(self._arrays, self.shape[1], file)

    def _unfit(self, why: str) -> ModelFolderError:
        return ModelFolderError(unfit(self._folder, why))


def unfit(folder: Path, why: object) -> str:
    """Return what an error says of files that do not fit each other.

    Args:
        folder: The model folder.
        why: What is wrong.

    Returns:
        The message.
    """
    return (
        f"the files of the model folder {folder} must fit each other, but {why}; train it again, "
        "or copy it from where it was trained"
    )


def _check_sizes(arrays: Mapping[str, StoredArray], num_items: int, file: str) -> None:
    cells = arrays["data"].shape
    if len(cells) != 1 or arrays["indices"].shape != cells:
        raise InputError(
            f"the {file} must have one column per cell, but {arrays['indices'].shape} columns of "
            f"{cells} cells"
        )
    if _TIMES in arrays and arrays[_TIMES].shape != cells:
        raise InputError(f"{file} must hold a time for each cell of the histories, and no other")
    if arrays["popularity"].shape != (num_items,):
        raise InputError(f"{file} must hold a share of each of {num_items} items")


def _canonical(matrix: csr_matrix) -> csr_matrix:
    matrix = matrix if matrix.has_sorted_indices else matrix.sorted_indices()
    if not matrix.has_canonical_format:
        raise InputError("histories must have each cell once, but some are there twice; sum them")
    return matrix


def _require_same_cells(history: csr_matrix, times: csr_matrix) -> None:
    if not (
        np.array_equal(times.indptr, history.indptr)
        and np.array_equal(times.indices, history.indices)
    ):
        raise InputError("there must be a time for each cell of the histories, and no other")
