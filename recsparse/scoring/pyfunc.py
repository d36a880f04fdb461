"""What MLflow calls to load and use a logged model; it needs no pickle and no import of mlflow."""

from pathlib import Path
from typing import Any

import pandas as pd

from recsparse.scoring.model_folder import load_model
from recsparse.scoring.trained import TrainedModel


class PyFuncModel:
    """A trained model behind MLflow's `predict`.

    Args:
        trained: The model.
    """

    def __init__(self, trained: TrainedModel) -> None:
        self.trained = trained

    def predict(
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score pairs.

        Args:
            model_input: Columns `user_id` and `item_id`.
            params: Unused; MLflow passes it.

        Returns:
            One column, `score`, in the order of the rows; None where an id is unknown.
        """
        scores = pd.Series(self.trained.score(model_input, on_unknown="null"))
        # A server of MLflow writes NaN as it is, which no reader of JSON takes.
        if scores.isna().any():
            scores = scores.astype(object).where(scores.notna(), None)
        return pd.DataFrame({"score": scores})


def _load_pyfunc(data_path: str) -> PyFuncModel:
    """Load a model folder; MLflow looks this function up by its name."""
    return PyFuncModel(load_model(Path(data_path)))
