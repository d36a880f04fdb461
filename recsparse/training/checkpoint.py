"""The state of a training between two epochs, and of a complete one: safetensors, no pickle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from recsparse.errors import CheckpointError
from recsparse.files.atomic import atomic_file
from recsparse.models.protocol.stored_arrays import apart

# After the last epoch that was done, and after all of them.
LAST, COMPLETE = "last.safetensors", "complete.safetensors"
_FACTS = "recsparse"


class Facts(BaseModel):
    """What a checkpoint says of the training besides its tensors.

    Attributes:
        job: Digests of all that the training depends on, by what they are of.
        network: Which network of the model it is; empty where there is but one.
        epochs: Epochs done; of a complete training, after how many the network was as it is.
        steps: Steps of the optimiser done.
        best_epoch: After how many epochs the network was best; 0 without validation.
        best_quality: How good it was.
        learning_rates: Of the next step, one per group of parameters.
        metrics: The figures of each epoch done, without those that are not finite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    format_version: Literal[1] = 1
    job: dict[str, str]
    network: str
    epochs: int = Field(ge=0)
    steps: int = Field(ge=0)
    best_epoch: int = Field(default=0, ge=0)
    best_quality: float | None = None
    learning_rates: list[float] = []
    metrics: list[dict[str, float]] = []


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a training.

    Attributes:
        facts: Its numbers.
        weights: Parameters and buffers of the network.
        best: Those of the best epoch; empty where they are not known, or are the weights.
        optimizer: The state of the optimiser, as `optimizer_state.optimizer_tensors` returns it.
    """

    facts: Facts
    weights: Mapping[str, Tensor]
    best: Mapping[str, Tensor] = field(default_factory=dict)
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write a file in one step: an older one stays until the new one is complete.

        Args:
            path: The file.

        Raises:
            OutputError: If the disk is full.
        """
        parts = {"weights": self.weights, "best": self.best, "optimizer": self.optimizer}
        tensors = {
            f"{part}/{name}": value
            for part, values in parts.items()
            for name, value in values.items()
        }
        content = save(apart(tensors), {_FACTS: self.facts.model_dump_json()})
        with atomic_file(path) as aside:
            aside.write_bytes(content)

    @classmethod
    def read(cls, path: Path, expected: Facts, weights: Mapping[str, Tensor]) -> "Checkpoint":
        """Read a file, and check that it is whole and belongs to a training.

        Args:
            path: What `write` wrote.
            expected: The training's job and network; its numbers do not matter.
            weights: The network's parameters and buffers, for their names, shapes and types.

        Returns:
            The state; its tensors are copies on the CPU.

        Raises:
            CheckpointError: If the file is damaged, of another job or network, or its weights are
                not of the network's names, shapes and types, or not finite.
        """
        try:
            with safe_open(path, framework="pt") as file:
                facts = Facts.model_validate_json((file.metadata() or {}).get(_FACTS, "{}"))
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        except ValidationError as error:
            wrong = error.errors()[0]
            where = ".".join(map(str, wrong["loc"])) or "all"
            raise CheckpointError(damage(path, f"of its facts {where}: {wrong['msg']}")) from error
        except (OSError, SafetensorError) as error:
            raise CheckpointError(damage(path, f"reading it failed: {error}")) from error
        _check_job(path, facts, expected)
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "optimizer": {}}
        for name, value in tensors.items():
            part, _, own = name.partition("/")
            if part not in parts:
                raise CheckpointError(damage(path, f"it holds {name!r}, which is not known"))
            parts[part][own] = value
        _check_network(path, parts["weights"], weights)
        if parts["best"]:
            _check_network(path, parts["best"], weights)
        _check_best(path, facts, bool(parts["best"]))
        return cls(facts, **parts)


def damage(path: Path, what: str) -> str:
    """Say that a checkpoint cannot be resumed from, and how to train without it.

    Args:
        path: Its file.
        what: What is wrong with it.

    Returns:
        The message.
    """
    return (
        f"the checkpoint {path} must be as the training wrote it, but {what}; start anew with "
        "--fresh, which removes it"
    )


def _check_job(path: Path, found: Facts, expected: Facts) -> None:
    names = [*expected.job, *(set(found.job) - set(expected.job))]
    other = [name for name in names if found.job.get(name) != expected.job.get(name)]
    if found.network != expected.network:
        other.append("network")
    if other:
        raise CheckpointError(
            f"the checkpoint {path} must be of this very training, but was written by one of "
            f"another {' and '.join(other)}; resume with what it was started with, or start anew "
            "with --fresh"
        )


def _check_best(path: Path, facts: Facts, has_weights: bool) -> None:
    known = facts.best_quality is not None
    if known != (facts.best_epoch > 0) or facts.best_epoch > facts.epochs:
        raise CheckpointError(damage(path, f"its best epoch cannot be number {facts.best_epoch}"))
    if has_weights != (0 < facts.best_epoch < facts.epochs):
        raise CheckpointError(damage(path, "its weights are not those of its best epoch"))


def _check_network(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    # torch would say this in terms of tensors.
    kinds = [
        {name: (each.shape, each.dtype) for name, each in of.items()} for of in (found, wanted)
    ]
    if kinds[0] != kinds[1]:
        raise CheckpointError(
            f"the checkpoint {path} must be of the configured network, but it was written by "
            "another; resume with the configuration of then, or start anew with --fresh"
        )
    for name, value in found.items():
        if not value.isfinite().all():
            raise CheckpointError(damage(path, f"its tensor {name!r} is not finite"))
