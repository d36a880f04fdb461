"""MLflow's evaluator `recsparse`: rankings judged by `mlflow.models.evaluate`.

MLflow loads it, as it does each plug-in, whenever it is imported itself. So what it needs is
imported where it is used, against the house rule: MLflow's other users would pay for it, and
recsparse, which imports MLflow half way through its own imports, would not load at all.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import Metric
from mlflow.models.evaluation.artifacts import ImageEvaluationArtifact, ParquetEvaluationArtifact
from mlflow.models.evaluation.base import EvaluationArtifact, EvaluationResult, ModelEvaluator
from mlflow.tracking import MlflowClient
from mlflow.utils.time import get_current_time_millis
from typing_extensions import override

if TYPE_CHECKING:
    import pandas as pd

    from recsparse.evaluation.ranked_frame import RankedFrame

MODEL_TYPE = "ranker"


class RankerEvaluator(ModelEvaluator):
    """Judges rankings: `mlflow.models.evaluate(…, model_type="ranker", evaluators="recsparse")`.

    The data is a frame of candidates, one row per user and item, with what was wanted as its
    targets; the scores are those of a model, or a column of the frame. `evaluator_config` is what
    `RankerConfig` has.
    """

    @override
    @classmethod
    def can_evaluate(cls, *, model_type: str, evaluator_config: Any, **kwargs: Any) -> bool:
        return model_type == MODEL_TYPE

    @override
    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any] | None,
        model: Any = None,
        extra_metrics: Any = None,
        custom_artifacts: Any = None,
        predictions: str | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        from recsparse.evaluation.ranked_frame import ranked_frame

        frame = _frame(dataset)
        given = None if model is None else model.predict(frame)
        named = predictions or dataset.predictions_name
        if model is None and dataset.predictions_data is not None:
            frame = frame.assign(**{named: dataset.predictions_data})
        ranked = ranked_frame(
            frame, evaluator_config or {}, given, dataset.labels_data, named, dataset.targets_name
        )
        metrics = {name: value for name, value in ranked.figures().items() if value == value}
        if kwargs.get("model_id") is None:  # else MLflow records them itself, for the model as well
            _record(run_id, metrics)
        return EvaluationResult(metrics, _artifacts(run_id, ranked), run_id)


def _frame(dataset: Any) -> "pd.DataFrame":
    from recsparse.errors import InputTypeError

    features = dataset.features_data
    if not hasattr(features, "columns"):
        raise InputTypeError(
            "the data of a ranker must be a pandas frame with a column of users and one of items, "
            f"but is {type(features).__name__}"
        )
    return features.reset_index(drop=True)


def _record(run_id: str, metrics: Mapping[str, float]) -> None:
    now = get_current_time_millis()
    MlflowClient().log_batch(
        run_id, [Metric(name, value, now, 0) for name, value in metrics.items()]
    )


def _artifacts(run_id: str, ranked: "RankedFrame") -> dict[str, EvaluationArtifact]:
    from PIL import Image

    found: dict[str, EvaluationArtifact] = {}
    with tempfile.TemporaryDirectory() as folder:
        tables = {"per_user": ranked.per_user(), "slices": ranked.slices}
        writers: dict[str, Callable[[Path], Any]] = {
            f"{name}.parquet": table.to_parquet for name, table in tables.items()
        }
        writers |= {f"{name}.png": figure.savefig for name, figure in ranked.pictures().items()}
        for name, write in writers.items():
            path = Path(folder) / f"{ranked.prefix}{name}"
            write(path)
            MlflowClient().log_artifact(run_id, str(path))
            uri = f"{mlflow.get_run(run_id).info.artifact_uri}/{path.name}"
            if path.suffix == ".png":
                with Image.open(path) as picture:
                    found[path.stem] = ImageEvaluationArtifact(uri, picture.copy())
            else:
                found[path.stem] = ParquetEvaluationArtifact(uri, tables[Path(name).stem])
    return found
