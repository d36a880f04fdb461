"""What a training leaves behind."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recsparse.reporting.value_text import value_text
from recsparse.scoring.made_vectors import bytes_of_vectors
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.features_read import FeaturesRead


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        model: The trained model.
        folder: Its model folder; a local copy of one that was written to an address.
        validation: Mean metrics on the validation part.
        fit_seconds: Wall-clock time of the fit.
        run_id: The MLflow run.
        model_uri: The model's MLflow address; None where the store was gone when it was sent, or
            the model was there before.
        features: Features of the items that the model, or each part of a blend, reads, by kind;
            each with the number of items that have it. Those of users are called `… of users`, with
            the number of users.
        new_items: How many items without a training row are ranked, by what, where they stand, and
            what validation says of it; empty where the model ranks none.
        is_new: Whether it was trained now; else nothing was new since it was.
    """

    model: TrainedModel
    folder: Path
    validation: dict[str, float]
    fit_seconds: float
    run_id: str
    model_uri: str | None
    features: FeaturesRead
    new_items: dict[str, Any] = field(default_factory=dict)
    is_new: bool = True

    @property
    def vector_bytes(self) -> int:
        """Bytes of the vectors of users in the model folder; 0 where it has none."""
        return bytes_of_vectors(self.model.model, len(self.model.users))

    def __str__(self) -> str:
        """Return what was trained, where it lies, and how good it is on the validation part."""
        figures = [f"{name} {value_text(value)}" for name, value in self.validation.items()]
        read = ", ".join(sorted({name for own in self.features.values() for name in own}))
        return (
            f"{self.model.model.kind} in {self.folder}, fitted in {self.fit_seconds:.1f} s; "
            f"validation: {', '.join(figures) or 'none'}; features read: {read or 'none'}"
        )
