#!/usr/bin/env bash
# pyarrow 25.0.1 and 26.0.1, pandas 3.1.1: the first array of PyArrow imports pandas.
#
# `import pyarrow` and `import pyarrow.parquet` leave pandas alone. The first `pa.array([1])` imports
# it where it is installed, whatever the values are, as does `import pyarrow.dataset`. A process
# that only reads ids and writes scores pays for pandas all the same: about .2 s and 40 to 60 MB.
#
# What helps: nothing but an environment without pandas.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==3.1.1
cd "$folder"
cat > look.py <<'PY'
import resource
import sys
import time

import pyarrow as pa
import pyarrow.parquet  # noqa: F401

before = "pandas" in sys.modules
started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pa.array([1])
seconds = time.process_time() - started
more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
after = "pandas" in sys.modules
print(f"pyarrow {pa.__version__}: pandas {before} before, {after} after the first array;", end=" ")
print(f"{seconds:.2f} CPU seconds, {more:.0f} MB")
seen = not before and after
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
for version in 25.0.1 26.0.1; do
  "$folder/venv/bin/pip" install --quiet "pyarrow==$version"
  "$folder/venv/bin/python" look.py
done
