#!/usr/bin/env bash
# ir-measures 0.4.3: of one run with equal scores, RR is 1 and RR@1 is 0.
#
# Two documents have the same score. RR, nDCG, AP, P, R and Success, with a cut-off or without, come
# from pytrec_eval and put the higher id first, as trec_eval does. RR with a cut-off comes from
# another provider, which puts the lower id first. So RR@2 is .5 where RR is 1, and a table of both
# judges two rankings.
#
# What helps: no equal scores in a run, or ranks made beforehand: -rank as the score.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ir-measures==0.4.3 pytrec-eval-terrier==0.5.11
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import sys

import ir_measures
from ir_measures import AP, RR, P, R, Success, nDCG

wanted = [ir_measures.Qrel("query", "b", 1)]
run = [ir_measures.ScoredDoc("query", name, 1.0) for name in ("a", "b")]
found = {}
for measure in (RR, RR @ 1, RR @ 2, nDCG @ 1, AP @ 1, P @ 1, R @ 1, Success @ 1):
    found[str(measure)] = ir_measures.calc_aggregate([measure], wanted, run)[measure]
print("ir-measures 0.4.3, two documents of one score, of which the second is relevant:")
print(", ".join(f"{name} {value}" for name, value in found.items()))
others = {name: value for name, value in found.items() if not name.startswith("RR@")}
sys.exit(not (found["RR@1"] == 0 and found["RR@2"] == 0.5 and {*others.values()} == {1.0}))
PY
