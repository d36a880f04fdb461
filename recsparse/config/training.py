"""Settings of the gradient training of networks."""

from typing import Any, Literal

from pydantic import Field, model_validator

from recsparse.config.section import Section
from recsparse.config.units import Epochs, Number, Users


class TrainingConfig(Section):
    """The gradient training of a neural model.

    Attributes:
        epochs: Upper bound of passes over the users.
        batch_users: Users per step.
        learning_rate: AdamW's peak rate; it falls to zero along a cosine.
        weight_decay: AdamW's decoupled weight decay.
        patience: Epochs without a better validation quality (`evaluation.select_by`; of ratings
            the RMSE) after which training stops.
        stop_after: Epochs after which training ends all the same, the rate having fallen as for all
            of `epochs`; what a refit takes over from the best epoch of the fit before.
        device: `auto`, `cpu`, `cuda` or `mps`; a model's own training that says `auto` has that of
            the section `training`.
        precision: Of the products in training; `bfloat16` keeps weights, sums and losses in
            float32 and takes half of the time where the processor multiplies in it, many times the
            time where it does not; `auto` is `bfloat16` on devices that do, `float32` on others.
    """

    epochs: Epochs = Field(default=30, ge=1)
    batch_users: Users = Field(default=128, ge=1)
    learning_rate: Number = Field(default=1e-3, gt=0)
    weight_decay: Number = Field(default=0.0, ge=0)
    patience: Epochs = Field(default=5, ge=1)
    stop_after: Epochs | None = Field(default=None, ge=1)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "float32"

    @model_validator(mode="before")
    @classmethod
    def _without_list_length(cls, values: Any) -> Any:
        # Files of older builds have `k`. That of a model's own training was never read; that of the
        # whole configuration became `evaluation.select_by` before.
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if name != "k"}
