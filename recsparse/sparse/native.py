"""The fast path on a CPU: compiled kernels with a small C interface, loaded by ctypes.

The environment variable `RECSPARSE_KERNELS` picks among the instruction sets that the processor
has: `auto` (the best), `avx512bf16`, `avx512`, `avx2`, `base`, or `off` for torch operations alone.
Anything else is an error.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from recsparse.environment import INSTRUCTION_SETS, wanted_kernels
from recsparse.errors import InputError

_LIBRARY = Path(__file__).parent / "kernels" / "kernels.so"
_VERSION = 2  # of the library's functions, as in kernels.h
_CHUNK = 4096  # output cells a unit of work of the merge, as in pairs.cpp
_LARGE = 4 << 20  # bytes from which it pays to keep memory
# DLPack's codes of types, and the capsule in which torch expects its tensors.
_FLOAT_CODE, _BFLOAT_CODE = 2, 4
_CAPSULE_NAME = b"dltensor"
_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype = ctypes.py_object
_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class _MergeArgs(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("in_keys", "out_keys", "offsets")),
        *((name, ctypes.c_int64) for name in ("n_in", "n_out", "taps")),
        *(
            (name, ctypes.c_void_p)
            for name in ("counts", "starts", "kept", "in_index", "out_index")
        ),
        ("threads", ctypes.c_int64),
    ]


class _KeyArgs(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("coords", "weights", "keys")),
        *((name, ctypes.c_int64) for name in ("n", "axes", "threads")),
    ]


@dataclass(frozen=True)
class Kernels:
    """The compiled kernels, or why there are none.

    Attributes:
        library: The loaded library, or None.
        variant: The instruction set in use, one of those above; `none` without the library.
        reason: Why there are none; empty where there are.
    """

    library: ctypes.CDLL | None
    variant: str
    reason: str


@cache
def kernels() -> Kernels:
    """Return the compiled kernels, loaded at the first call.

    Returns:
        The kernels.

    Raises:
        InputError: If RECSPARSE_KERNELS is none of its values, or an instruction set that this
            processor lacks.

    Example:
        >>> kernels().variant in ("avx512bf16", "avx512", "avx2", "base", "none")
        True
    """
    wanted = wanted_kernels()
    if wanted == "off":
        return Kernels(None, "none", "switched off by RECSPARSE_KERNELS=off")
    if not _LIBRARY.exists():
        return Kernels(None, "none", "not compiled: no C++ compiler when it was installed")
    try:
        library = ctypes.CDLL(str(_LIBRARY))
    except OSError as error:
        return Kernels(None, "none", f"cannot be loaded: {error}")
    if _version(library) != _VERSION:
        reason = "compiled from another version of the sources; install the package again"
        return Kernels(None, "none", reason)
    possible = variants(library)
    if wanted not in ("auto", *possible):
        raise InputError(
            "the environment variable RECSPARSE_KERNELS must name an instruction set that this "
            f"processor has ({', '.join(possible)}), auto or off, but is {wanted!r}"
        )
    return Kernels(library, possible[0] if wanted == "auto" else wanted, "")


def _version(library: ctypes.CDLL) -> int:
    if not hasattr(library, "rs_version"):
        return 0
    library.rs_version.restype = ctypes.c_int64
    found: int = library.rs_version()
    return found


def variants(library: ctypes.CDLL) -> list[str]:
    """Return the instruction sets of the library that this processor has, the best first.

    Args:
        library: The compiled kernels.

    Returns:
        Some of `avx512bf16`, `avx512`, `avx2`, and `base`.
    """
    library.rs_features.restype = ctypes.c_int64
    features = library.rs_features()
    bits = (features & 4, features & 2, features & 1, 1)
    return [name for name, has in zip(INSTRUCTION_SETS, bits, strict=True) if has]


def can_run(feats: Tensor, in_channels: int, out_channels: int) -> bool:
    """Say whether the compiled kernels take these features.

    Args:
        feats: Features of cells.
        in_channels: Input channels of a group, which are summed.
        out_channels: Output channels of a group.

    Returns:
        True on a CPU for float32 and float64, and for bfloat16 where the processor multiplies it.
    """
    num_channels = feats.shape[1] * in_channels * out_channels
    if feats.device.type != "cpu" or kernels().library is None or not num_channels:
        return False
    if feats.dtype == torch.bfloat16:
        return kernels().variant == "avx512bf16"
    return feats.dtype in (torch.float32, torch.float64)


def empty(like: Tensor, rows: int, channels: int) -> Tensor:
    """Return uninitialised memory; where it is large, that of a freed result of the same size.

    Args:
        like: Gives type and device.
        rows: Number of rows.
        channels: Number of columns.

    Returns:
        A tensor (rows, channels) with arbitrary content.

    Raises:
        MemoryError: If there is not enough memory.
    """
    library = kernels().library
    if library is None or rows * channels * like.element_size() < _LARGE:
        return like.new_empty(rows, channels)
    code = _BFLOAT_CODE if like.dtype == torch.bfloat16 else _FLOAT_CODE
    numbers = (rows, channels, code, 8 * like.element_size())
    library.rs_take.restype = ctypes.c_void_p
    taken = library.rs_take(*(ctypes.c_int64(number) for number in numbers))
    if taken is None:
        raise MemoryError(f"no memory for {rows} rows of {channels} channels")
    return from_dlpack(_capsule(ctypes.c_void_p(taken), _CAPSULE_NAME, None))


def release_memory() -> int:
    """Give the memory of freed results, which is kept for the next ones, back to the system.

    Without it, as much is kept as was in use at once.

    Returns:
        The number of bytes.
    """
    library = kernels().library
    if library is None:
        return 0
    library.rs_release.restype = ctypes.c_int64
    released: int = library.rs_release()
    return released


def padded_sizes(
    in_shape: Sequence[int], lowest: Sequence[int], highest: Sequence[int], batch_size: int
) -> list[int] | None:
    """Return axis sizes that hold every place that a tap reads, inside the grid or not.

    With them, a place outside the grid has a key that no cell has, and needs no check: what lies
    before the start of an axis falls behind the end of the one before.

    Args:
        in_shape: Size of each axis.
        lowest: Lowest place read on each axis.
        highest: Highest place read on each axis.
        batch_size: Number of samples.

    Returns:
        The sizes, or None where their product does not fit 63 bits.
    """
    rows = zip(in_shape, lowest, highest, strict=True)
    sizes = [max(size - 1, high) - min(0, low) + 1 for size, low, high in rows]
    return sizes if prod(sizes) * max(batch_size, 1) < 2**62 else None


def merged_pairs(
    in_keys: Int[Tensor, " n"], out_keys: Int[Tensor, " m"], offsets: Sequence[int]
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"], Int[Tensor, " taps_1"]]:
    """Join the keys of two rising lists that differ by a tap's offset.

    Args:
        in_keys: Rising keys.
        out_keys: Rising keys.
        offsets: For each tap, what the key of an input exceeds that of its output by.

    Returns:
        Input and output index of each pair, tap by tap, and where each tap begins and ends.
    """
    library, taps = _library(), len(offsets)
    chunks = -(-len(out_keys) // _CHUNK)
    counts = torch.zeros(chunks, taps, dtype=torch.int64)
    shifts = torch.tensor(offsets, dtype=torch.int64)
    kept = torch.zeros(chunks, dtype=torch.int64)
    starts = torch.empty_like(counts)
    args = _MergeArgs(
        *(part.data_ptr() for part in (in_keys, out_keys, shifts)),
        *(len(in_keys), len(out_keys), taps),
        *(part.data_ptr() for part in (counts, starts, kept)),
        *(None, None, torch.get_num_threads()),
    )
    library.rs_merge(ctypes.byref(args))
    # Tap by tap, and chunk by chunk within a tap, is the order in which pairs are written.
    by_tap = counts.T.flatten()
    ends = by_tap.cumsum(0)
    starts.copy_((ends - by_tap).reshape(taps, chunks).T)
    total = int(counts.sum())
    in_index = torch.empty(total, dtype=torch.int32)
    out_index = torch.empty(total, dtype=torch.int32)
    args.in_index, args.out_index = in_index.data_ptr(), out_index.data_ptr()
    library.rs_merge_write(ctypes.byref(args))
    per_tap = counts.sum(0)
    return in_index, out_index, torch.cat([per_tap.new_zeros(1), per_tap.cumsum(0)])


def affine_keys(
    coords: Int[Tensor, "n d_1"], scale: Sequence[int], sizes: Sequence[int]
) -> Int[Tensor, " n"]:
    """Return the keys of `scale · place`, row-major in a grid of some sizes.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis.
        scale: One number per axis.
        sizes: Size of each axis of the grid.

    Returns:
        The keys.
    """
    steps = [prod(sizes[axis:]) for axis in range(len(sizes) + 1)]
    weights = torch.tensor([s * step for s, step in zip([1, *scale], steps, strict=True)])
    coords = coords.contiguous()
    keys = torch.empty(len(coords), dtype=torch.int64)
    ends = coords.data_ptr(), weights.data_ptr(), keys.data_ptr()
    args = _KeyArgs(*ends, *coords.shape, torch.get_num_threads())
    _library().rs_keys(ctypes.byref(args))
    return keys


def _library() -> ctypes.CDLL:
    library = kernels().library
    if library is None:  # callers ask first
        raise RuntimeError(f"there are no compiled kernels: {kernels().reason}")
    return library
