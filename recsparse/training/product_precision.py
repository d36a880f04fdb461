"""In which precision a network's products are computed, by what the device is good at."""

import logging

import torch

from recsparse.config.training import TrainingConfig

logger = logging.getLogger(__name__)

# What torch.cpu.get_capabilities calls units that multiply numbers of 16 bits.
_UNITS = ("avx512_bf16", "amx_bf16")


def uses_bfloat16(training: TrainingConfig) -> bool:
    """Tell whether products are computed in bfloat16.

    Without units for it a processor takes many times as long as in float32; where it is set all the
    same, a warning says so.

    Args:
        training: Its `precision` and its `device`.

    Returns:
        Whether they are.
    """
    if training.precision == "float32":
        return False
    is_fast = _multiplies_in_bfloat16(training.device)
    if training.precision == "bfloat16" and not is_fast:
        logger.warning(
            "training.precision is bfloat16, in which this device does not multiply natively, so "
            "that training takes many times as long; set training.precision=auto"
        )
    return is_fast or training.precision == "bfloat16"


def _multiplies_in_bfloat16(device: str) -> bool:
    if device in ("auto", "cuda") and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "mps" or (device == "auto" and torch.backends.mps.is_available()):
        return False
    # Older versions of torch do not tell.
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(found.get(unit) for unit in _UNITS)
