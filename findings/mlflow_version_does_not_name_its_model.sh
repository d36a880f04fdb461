#!/usr/bin/env bash
# mlflow 3.17.2, SQLite store: a registered version does not name the logged model that it is of.
#
# ModelVersion has a field model_id. It is None for every version that is made from a logged model,
# by register_model as by registered_model_name, read back or as returned. So figures of the logged
# model cannot be found by it; only `source` tells, as models:/m-....
#
# What helps: take the id from `source`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow==3.17.2
cd "$folder"
cat > identity.py <<'PY'
import mlflow
from mlflow.pyfunc import PythonModel


class Identity(PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


mlflow.models.set_model(Identity())
PY
MLFLOW_TRACKING_URI=sqlite:///store.db "$folder/venv/bin/python" - 2>/dev/null <<'PY'
import sys

import mlflow
from mlflow.tracking import MlflowClient

given = {"name": "m", "python_model": "identity.py", "pip_requirements": []}
first = mlflow.pyfunc.log_model(**given)
versions = [mlflow.register_model(first.model_uri, "registered")]
mlflow.pyfunc.log_model(**given, registered_model_name="registered")
versions += [MlflowClient().get_model_version("registered", number) for number in (1, 2)]
print(f"mlflow {mlflow.__version__}; logged as {first.model_uri}")
for version in versions:
    print(f"version {version.version}: source {version.source}, model_id {version.model_id}")
is_so = all(each.model_id is None and each.source.startswith("models:/m-") for each in versions)
sys.exit(not is_so)
PY
