"""What a logged model can be asked, in MLflow's words, and requests that show it."""

import json
from typing import Any, TypeAlias

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from recsparse.config.request_params import REQUEST_PARAMS

_Columns: TypeAlias = list[ColSpec | TensorSpec]
_REASONS = range(1, 4)


def signature_of(pairs: pd.DataFrame) -> ModelSignature:
    """Return the signature of a model: pairs get scores, users alone get lists.

    MLflow has one signature a model, so what only some requests and answers have is optional.

    Args:
        pairs: Columns `user_id` and `item_id`, which show the types of the ids.

    Returns:
        The signature.
    """
    user, item = _type_of(pairs["user_id"]), _type_of(pairs["item_id"])
    inputs: _Columns = [ColSpec(user, "user_id"), ColSpec(item, "item_id", required=False)]
    outputs: _Columns = [
        ColSpec(DataType.float, "score"),
        ColSpec(user, "user_id", required=False),
        ColSpec(item, "item_id", required=False),
        ColSpec(DataType.integer, "rank", required=False),
        *(ColSpec(item, f"because_{number}", required=False) for number in _REASONS),
        *(ColSpec(DataType.float, f"share_{number}", required=False) for number in _REASONS),
        ColSpec(DataType.float, "explained", required=False),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema(_specs(item)))


def example_requests(pairs: pd.DataFrame) -> dict[str, Any]:
    """Return requests to a served model, by what they ask for.

    Args:
        pairs: Columns `user_id` and `item_id`: some that the model knows.

    Returns:
        Bodies of requests in MLflow's own format.
    """
    users, items = ([*dict.fromkeys(pairs[name].tolist())] for name in ("user_id", "item_id"))
    known = [{"user_id": user} for user in users]
    # A column of lists in the signature would make MLflow read `inputs` as one row.
    history = {"k": 3, "history": json.dumps(items)}
    return {
        "scores of pairs": {"dataframe_records": pairs.to_dict("records")},
        "lists of users": {"dataframe_records": known, "params": {"k": 3}},
        "a list by a history": {"dataframe_records": known[:1], "params": history},
    }


def _specs(item: DataType) -> list[ParamSpec]:
    types = {bool: DataType.boolean, int: DataType.long, str: DataType.string}
    return [
        ParamSpec(name, item, default, (-1,))
        if isinstance(default, list)
        else ParamSpec(name, types[type(default)], default)
        for name, default in REQUEST_PARAMS.items()
    ]


def _type_of(ids: pd.Series) -> DataType:
    return DataType.long if pd.api.types.is_integer_dtype(ids) else DataType.string
