#!/usr/bin/env bash
# torch 2.13.0, scipy 1.17.1: a sparse product of SciPy, handed to torch, gives wrong products there.
#
# SciPy leaves the columns of a product's rows unsorted (`has_sorted_indices` is False), which its
# format allows. torch's CSR format wants them sorted, but checks that only where it is asked to
# (`check_invariants=True`). `to_sparse_coo()` then marks the tensor as coalesced though its cells
# are not in order, so `coalesce()` does nothing, and the elementwise product with another coalesced
# tensor leaves cells out: [0, 1, 4] where [9, 1, 4] is right. No error, no warning.
#
# What helps: `matrix.sort_indices()` before torch sees it, or `check_invariants=True`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 scipy==1.17.1 numpy
"$folder/venv/bin/python" - <<'PY'
import sys
import warnings

import scipy
import torch
from scipy.sparse import csr_matrix

warnings.simplefilter("ignore")  # torch says that CSR is in beta
product = csr_matrix([[1.0, 1, 0]]) @ csr_matrix([[0, 0, 2.0], [3, 1, 0], [0, 0, 0]])
print("torch", torch.__version__, "scipy", scipy.__version__)
print("columns of SciPy's product", product.indices, "sorted:", bool(product.has_sorted_indices))
arrays = (torch.from_numpy(each) for each in (product.indptr, product.indices, product.data))
cells = torch.sparse_csr_tensor(*arrays, size=product.shape).to_sparse_coo()
print("columns in torch", cells.indices()[1].tolist(), "coalesced:", cells.is_coalesced())
other = cells.to_dense().to_sparse_coo().coalesce()
found = (cells * other).to_dense().tolist()
wanted = (cells.to_dense() * other.to_dense()).tolist()
print("product of cells", found, "of dense tensors", wanted)
seen = not product.has_sorted_indices and cells.is_coalesced() and found != wanted
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
