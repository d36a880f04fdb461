"""What `mlflow models serve` does with a request, without a server."""

import json

from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server


def parsed_strictly(text):
    """JSON by its standard, which knows no NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def answered(model: PyFuncModel, content):
    """The predictions of a request that is in order."""
    schema = model.metadata.get_input_schema()
    found = scoring_server.invocations(json.dumps(content), "application/json", model, schema)
    assert (found.status, found.mimetype) == (200, "application/json")
    return parsed_strictly(found.response)["predictions"]


def refused(model: PyFuncModel, content) -> tuple[int, str]:
    """The status and the message of a request that is not."""
    schema = model.metadata.get_input_schema()
    try:
        scoring_server.invocations(json.dumps(content), "application/json", model, schema)
    except MlflowException as error:
        return error.get_http_status_code(), error.message
    raise AssertionError("the request was answered")
