"""What MLflow calls to load and use a logged model; it needs no pickle and no import of mlflow."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from recsparse.errors import RecsparseError
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.narrowed import narrowed
from recsparse.scoring.pyfunc_request import Asked
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
        """Score pairs, or recommend items to users.

        Args:
            model_input: Columns `user_id` and `item_id`; without the latter, the users get lists.
            params: Those of `recsparse.scoring.pyfunc_request.Asked`. The rows of a history replace
                what is known of their users, who may be new, and are read by the settings of the
                model's dataset.

        Returns:
            Of pairs one column, `score`, in the order of the rows; of users those of
            `TrainedModel.recommend`, in the order of the users. What is missing is None, which
            JSON has a word for.

        Raises:
            RecsparseError: If a column is missing, a parameter is wrong, an id is unknown and that
                is to be refused, or the history breaks a rule of logs.
            RequestError: The same within MLflow, whose server answers it as the client's mistake.
        """
        try:
            return self._answer(model_input, Asked.of(params))
        except RecsparseError as error:
            if "mlflow" not in sys.modules:
                raise
            from recsparse.tracking.request_error import RequestError

            raise RequestError(str(error)) from error

    def _answer(self, rows: pd.DataFrame, asked: Asked) -> pd.DataFrame:
        users, model = id_column(rows, "user_id"), self.trained
        history = asked.rows(users, model.data, model.rows.is_timed)
        if history is not None:
            model = narrowed(model, users).with_history(history)
        if "item_id" in rows:
            asked.require_pairs()
            scores = model.score(rows, asked.on_unknown)
            return _with_none(pa.table({"score": pa.array(scores, from_pandas=True)}))
        lists = model.recommend_batches(
            users,
            asked.k,
            filter_seen=asked.filter_seen,
            items=asked.items or None,
            on_unknown=asked.on_unknown,
            explain=asked.explain,
        )
        return _with_none(pa.concat_tables(lists))


def _with_none(table: pa.Table) -> pd.DataFrame:
    # A server of MLflow writes NaN as it is, which no reader of JSON takes; and ids of a column
    # with a missing one would become floating.
    return pd.DataFrame(
        {
            name: pd.Series(column.to_pylist(), dtype=object)
            if column.null_count
            else column.to_pandas()
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )


def _load_pyfunc(data_path: str) -> PyFuncModel:
    """Load a model folder; MLflow looks this function up by its name."""
    return PyFuncModel(load_model(Path(data_path)))
