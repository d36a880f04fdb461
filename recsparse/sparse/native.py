"""The fast path on a CPU: compiled kernels of a small C interface, loaded by ctypes."""

from torch import Tensor

from recsparse.sparse.kernel_map import KernelMap


def can_run(feats: Tensor) -> bool:
    """Say whether the compiled kernels take these features.

    Args:
        feats: Features of cells.

    Returns:
        True for float32, float64 and bfloat16 on a CPU, where the kernels were compiled.
    """
    return False


def conv(feats: Tensor, taps: Tensor, bias: Tensor | None, pairs: KernelMap) -> Tensor:
    """Compute `tiled_conv`."""
    raise NotImplementedError


def conv_weight(feats: Tensor, grad_out: Tensor, pairs: KernelMap, groups: int) -> Tensor:
    """Compute `tiled_conv_weight`."""
    raise NotImplementedError
