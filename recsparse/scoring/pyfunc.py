"""What MLflow calls to load and use a logged model; it needs no pickle and no import of mlflow."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix

from recsparse.datasets.history_log import read_history
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.request_columns import id_column
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
            params: `history`: rows of a log as a JSON list of objects, whose users may be new; they
                replace what is known of these users, and are read by the settings of the model's
                dataset.

        Returns:
            One column, `score`, in the order of the rows; None where an id is unknown.

        Raises:
            InputError: If the history is no such list, or breaks a rule of logs.
        """
        values = self.trained.score(model_input, on_unknown="null")
        if history := (params or {}).get("history"):
            known = self._knowing(_rows(history))
            is_there = known.users.index_of(id_column(model_input, "user_id")) >= 0
            values = np.where(is_there, known.score(model_input, on_unknown="null"), values)
        scores = pd.Series(values)
        # A server of MLflow writes NaN as it is, which no reader of JSON takes.
        if scores.isna().any():
            scores = scores.astype(object).where(scores.notna(), None)
        return pd.DataFrame({"score": scores})

    def _knowing(self, rows: pa.Table) -> TrainedModel:
        """Return a model that knows the users of a history alone, which takes no time."""
        trained = self.trained
        no_users = csr_matrix((0, len(trained.items)), dtype=np.float32)
        empty = replace(
            trained,
            users=Vocabulary(trained.users.ids[:0]),
            history=no_users,
            times=None if trained.times is None else no_users.astype(np.int64),
            user_features=None,
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.parquet"
            pq.write_table(rows, path)
            known = empty.with_history(
                read_history(path, trained.data, in_order=trained.times is not None)
            )
        features = trained.user_features
        if features is None:
            return known
        own = features.rows(trained.users.index_of(known.users.ids))
        return replace(known, user_features=own)


def _rows(history: str) -> pa.Table:
    try:
        rows = [dict(row.items()) for row in json.loads(history)]
        names = dict.fromkeys(name for row in rows for name in row)
        return pa.table({name: [row.get(name) for row in rows] for name in names})
    except (ValueError, TypeError, AttributeError, pa.ArrowException) as error:
        raise InputError(
            f"the history must be a JSON list of objects, one per row of the log, but {error}"
        ) from error


def _load_pyfunc(data_path: str) -> PyFuncModel:
    """Load a model folder; MLflow looks this function up by its name."""
    return PyFuncModel(load_model(Path(data_path)))
