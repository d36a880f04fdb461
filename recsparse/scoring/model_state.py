"""A fitted model as bytes, and the model that they give again."""

from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor

from recsparse.config.model_section import ModelSection
from recsparse.errors import InputError
from recsparse.models.content.new_items import base_of
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.stored_arrays import apart, checked_state
from recsparse.models.registry import model_class


def state_bytes(model: FittedModel) -> bytes:
    """Return the state of a fitted model as safetensors.

    Args:
        model: The model.

    Returns:
        What a file of weights holds.

    Raises:
        InputError: If its state is none of tensors by name.
    """
    # safetensors' own save_file makes files that only their owner may read, and hides a full
    # disk in an error of its own.
    return save(apart(checked_state(model.state(), type(base_of(model)).__name__)))


def restored(config: ModelSection, state: Mapping[str, Tensor], num_items: int) -> Recommender:
    """Rebuild a model from its state, which may be of a stranger's or of a class of one's own.

    Args:
        config: The model's section.
        state: What its file of weights holds.
        num_items: How many items it has to score.

    Returns:
        The model, on the CPU.

    Raises:
        InputError: If its class cannot be rebuilt of that state, or is of other items or tensors
            then.
    """
    owner = model_class(config.kind)
    try:
        model = owner.from_state(config, state)
    except Exception as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{owner.__name__}.from_state must rebuild the model of what state returned, but "
            f"raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, Recommender):
        raise InputError(
            f"{owner.__name__}.from_state must return the model, but returns a "
            f"{type(model).__name__}"
        )
    if model.num_items != num_items:
        raise InputError(
            f"{owner.__name__}.from_state must return a model with num_items = {num_items}, but it "
            f"has {model.num_items}"
        )
    found = checked_state(model.state(), owner.__name__)
    if _kinds(found) != _kinds(state):
        others = sorted(set(_kinds(found).items()) ^ set(_kinds(state).items()))
        raise InputError(
            f"a model {config.kind} of this configuration must have the tensors that were saved, "
            f"but {owner.__name__}.state of the rebuilt one differs in {others}"
        )
    return model


def _kinds(state: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: f"{value.dtype} {tuple(value.shape)}" for name, value in state.items()}
