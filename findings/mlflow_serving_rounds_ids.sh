#!/usr/bin/env bash
# mlflow 3.17.2: a server rounds numbers down in a column of whole ones, without a word.
#
# A model whose signature says `long` refuses 1.5 in a frame in Python, as it should: a conversion
# would lose something. Its server converts the JSON of a request before that check, by astype, so
# that 1.5 becomes 1, and the answer is that of another id. The same holds for `integer`.
#
# What helps: nothing in the model, which never sees the number; check ids where requests are made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow==3.17.2
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PY'
import json
import sys

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, Schema


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["user_id"].tolist()


signature = ModelSignature(Schema([ColSpec("long", "user_id")]))
mlflow.pyfunc.save_model("model", python_model=Echo(), signature=signature, pip_requirements=[])
model = mlflow.pyfunc.load_model("model")
request = json.dumps({"dataframe_records": [{"user_id": 1.5}]})
schema = model.metadata.get_input_schema()
answer = scoring_server.invocations(request, "application/json", model, schema)
try:
    in_python = str(model.predict(pd.DataFrame({"user_id": [1.5]})))
except mlflow.MlflowException as error:
    in_python = f"refused ({error.error_code})"
print(f"mlflow {mlflow.__version__}: user 1.5 is {in_python} in Python;", end=" ")
print(f"a server answers {answer.status}: {answer.response}")
seen = in_python.startswith("refused") and json.loads(answer.response) == {"predictions": [1]}
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
