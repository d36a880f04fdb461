#!/usr/bin/env bash
# mlflow-skinny 3.17.2 with importlib_metadata 9.1.0: `import mlflow` changes what the standard
# library's `importlib.metadata` answers in the whole process.
#
# MLflow imports the backport, which puts a finder of its own before that of the standard library.
# From then on `importlib.metadata.distribution(name).metadata["Requires-Python"]` of a package that
# names no such field raises KeyError; before, it is None. So code that asks for optional fields
# works alone and fails where MLflow was imported first.
#
# What helps: `metadata.get("Requires-Python")` answers None either way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 importlib_metadata==9.1.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import sys


def answer():
    metadata = importlib.metadata.distribution("pip").metadata
    try:
        found = repr(metadata["Requires-External"])  # a field that pip does not have
    except KeyError:
        found = "KeyError"
    return found, metadata.get("Requires-External")


before = answer()
import mlflow  # noqa: E402

after = answer()
print(f"mlflow {mlflow.__version__}: metadata of an absent field was {before[0]}, is {after[0]}")
seen = before == ("None", None) and after == ("KeyError", None)
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
