#!/usr/bin/env bash
# scipy 1.17.1, numpy 2.4.6: column sums of a sparse float32 matrix are added up in float32, also
# where `dtype=np.float64` is asked for.
#
# `csr_matrix.sum(axis=0, dtype=np.float64)` adds the rows one by one in the type of the matrix and
# converts the sum afterwards: two million times .1 come out as about 197,000 where 200,000 is
# right. NumPy adds up in the type that is asked for. Popularity from weights is such a sum.
#
# What helps: `np.bincount(matrix.indices, weights=matrix.data, minlength=columns)`, or converting
# the matrix first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys

import numpy as np
import scipy
from scipy.sparse import csr_matrix

rows = 2_000_000
data = np.full(rows, 0.1, dtype=np.float32)
matrix = csr_matrix((data, np.zeros(rows, dtype=np.int32), np.arange(rows + 1)), shape=(rows, 1))
found = float(matrix.sum(axis=0, dtype=np.float64)[0, 0])
dense = float(data.sum(dtype=np.float64))
counted = float(np.bincount(matrix.indices, weights=matrix.data)[0])
print("scipy", scipy.__version__, "numpy", np.__version__)
print(f"sparse sum {found:,.1f}, dense sum {dense:,.1f}, bincount {counted:,.1f}")
seen = abs(found - dense) > 1000 and abs(counted - dense) < 1
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
