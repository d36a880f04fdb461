#!/usr/bin/env bash
# mlflow 3.17.2, SQLite store: a logged model that has a metric of a dataset cannot be completed.
#
# A logged model may exist before its files, so that the epochs of a training carry its id. Where
# one of its metrics names a dataset, log_model(model_id=...) copies the run's metrics to the model
# once more, without the dataset, fails with "UNIQUE constraint failed: logged_model_metrics..." and
# marks the model FAILED. Without a dataset the same calls work.
#
# What helps: pyfunc.save_model to a folder, MlflowClient.log_model_artifacts, and
# finalize_logged_model.
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
import numpy as np
from mlflow.data.numpy_dataset import from_numpy

TEST = from_numpy(np.arange(3), name="test")


def logged(**of_what):
    with mlflow.start_run() as run:
        model = mlflow.initialize_logged_model("m", source_run_id=run.info.run_id)
        mlflow.log_metric("ndcg", 0.3, model_id=model.model_id, **of_what)
        try:
            mlflow.pyfunc.log_model(
                name="m", python_model="identity.py", model_id=model.model_id, pip_requirements=[]
            )
            said = "no error"
        except mlflow.MlflowException as error:
            said = str(error).partition("\n")[0]
    return str(mlflow.get_logged_model(model.model_id).status), said


print(f"mlflow {mlflow.__version__}")
print("without a dataset:", *(plain := logged()))
print("with a dataset:", *(named := logged(dataset=TEST)))
sys.exit(not (plain == ("READY", "no error") and named[0] == "FAILED" and "UNIQUE" in named[1]))
PY
