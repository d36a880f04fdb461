"""A request that a served model refuses, in the way that MLflow's server tells the client."""

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from recsparse.errors import InputError


class RequestError(MlflowException, InputError):
    """A request that breaks a rule; MLflow's server answers with status 400 and the message.

    Args:
        message: What must hold, what was found, and how to mend it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)
