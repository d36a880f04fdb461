"""Numbers from outside as features: real ones, of torch's floating types."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from recsparse.errors import InputTypeError


def as_float(values: Shaped[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return numbers as features, integers and booleans in torch's default float.

    Args:
        values: Real numbers.

    Returns:
        The same tensor where it is of a floating type.

    Raises:
        InputTypeError: If they are complex.

    Example:
        >>> as_float(torch.tensor([1, 2])).dtype
        torch.float32
    """
    if values.is_complex():
        raise InputTypeError(
            f"feats must be real numbers, but got {values.dtype}; mend it by torch.view_as_real, "
            "whose last dimension are two channels"
        )
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())


def torch_values(values: Any) -> Shaped[Tensor, " n"]:
    """Return a copy of an array of numbers, bfloat16 and those longer than float64 included.

    Args:
        values: What numpy takes for an array.

    Returns:
        The numbers in a type of torch's.

    Raises:
        InputTypeError: If torch has no such type.

    Example:
        >>> torch_values(np.array([1, 2], dtype=np.int16))
        tensor([1, 2], dtype=torch.int16)
    """
    array = np.array(values)
    if array.dtype.name == "bfloat16":  # of the package ml_dtypes, as tensorflow gives
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    if array.dtype == np.longdouble:
        array = array.astype(np.float64)
    try:
        return torch.from_numpy(array)
    except TypeError as error:
        raise InputTypeError(f"feats must be numbers, but got {array.dtype}") from error
