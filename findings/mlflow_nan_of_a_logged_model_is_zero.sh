#!/usr/bin/env bash
# mlflow 3.17.2, SQLite store: a metric that is NaN is 0 in the logged model.
#
# A metric logged with a model_id goes to the run and to the model. In the run NaN stays NaN; in the
# logged model it becomes 0.0, so that search_logged_models("metrics.recall < 0.1") finds a model
# whose recall is not defined, and the Models tab ranks it last or, where less is better, first.
#
# What helps: log NaN to the run alone, without model_id.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow==3.17.2
cd "$folder"
MLFLOW_TRACKING_URI=sqlite:///store.db "$folder/venv/bin/python" - 2>/dev/null <<'PY'
import math
import sys

import mlflow
from mlflow.tracking import MlflowClient

client = MlflowClient()
experiment = client.create_experiment("models")
run = client.create_run(experiment).info.run_id
model = client.create_logged_model(experiment, "model", run)
client.log_metric(run, "recall", math.nan, model_id=model.model_id)
of_run = client.get_run(run).data.metrics["recall"]
(of_model,) = (metric.value for metric in client.get_logged_model(model.model_id).metrics)
found = client.search_logged_models([experiment], filter_string="metrics.recall < 0.1")
print(f"mlflow {mlflow.__version__}: NaN is {of_run} in the run, {of_model} in the logged model;")
print(f"search_logged_models('metrics.recall < 0.1') finds {len(found)} model")
sys.exit(not (math.isnan(of_run) and of_model == 0.0 and len(found) == 1))
PY
