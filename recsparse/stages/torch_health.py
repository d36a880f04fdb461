"""What doctor finds of torch and of the kernels: what cannot be known without torch."""

from collections.abc import Iterator

import torch

from recsparse.environment import wanted_kernels
from recsparse.sparse.native import kernels
from recsparse.sparse.scatter import backend
from recsparse.stages.installed import build_again
from recsparse.stages.machine import usable_cores

# Measured by `python -m benchmarks.threads`.
_DETERMINISM = (
    "the same bits with the same number of threads; with another, scores of networks and factors "
    "differ by about 1e-5 of their standard deviation"
)


def torch_findings() -> dict[str, str]:
    """Return which kernels run, on what.

    Returns:
        Names and findings.
    """
    found = kernels()
    compiled = f"torch ({found.reason})" if found.library is None else f"compiled, {found.variant}"
    return {
        "scatter kernels": backend(),
        "convolution kernels": compiled,
        "threads": str(torch.get_num_threads()),
        "determinism": _DETERMINISM,
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "not available",
    }


def torch_advice() -> Iterator[str]:
    """Yield a sentence for all that makes torch slow, with its cure.

    Yields:
        Sentences.
    """
    if kernels().library is None:
        cure = f"install a C++ compiler, then {build_again('recsparse')}"
        if wanted_kernels() == "off":
            cure = "unset RECSPARSE_KERNELS"
        yield f"convolutions are several times as slow without compiled kernels; {cure}"
    threads, cores = torch.get_num_threads(), usable_cores()
    if threads > cores:
        yield (
            f"torch has {threads} threads, but may use {cores} cores, and threads that wait for "
            f"each other are slow; set OMP_NUM_THREADS={cores}"
        )
    if threads == 1 < cores:
        yield f"torch has 1 thread, but may use {cores} cores; unset OMP_NUM_THREADS"
