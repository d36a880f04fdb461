#!/usr/bin/env bash
# torch 2.13.0 on a machine without a GPU: `torch.manual_seed` formats the text of the whole stack,
# once for each kind of device that is absent, at every call.
#
# It queues the seeds of CUDA, XPU and others until those are in use, together with
# `traceback.format_stack()` for a better error. The deeper a call stands, the longer it takes: 60
# calls deep about 350 µs, where seeding the CPU's generator takes 3.
#
# What helps: `torch.default_generator.manual_seed(seed)`, and the generator of the device in use.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy torch==2.13.0
CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" - <<'PY'
import sys
import time
import traceback

import torch

if torch.cuda.is_available():
    sys.exit("this needs a process that sees no GPU")
calls = 0
format_stack = traceback.format_stack


def counted(*args, **kwargs):
    global calls
    calls += 1
    return format_stack(*args, **kwargs)


def at_depth(depth, function):
    return function() if depth == 0 else at_depth(depth - 1, function)


def microseconds(seed):
    started = time.process_time()
    for number in range(200):
        at_depth(60, lambda number=number: seed(number))
    return (time.process_time() - started) / 200 * 1e6


whole, alone = (microseconds(each) for each in (torch.manual_seed, torch.default_generator.manual_seed))
traceback.format_stack = counted
torch.manual_seed(0)
print(f"torch {torch.__version__}: {calls} texts of the stack per call")
print(f"60 calls deep: torch.manual_seed {whole:.0f} µs, the CPU's generator {alone:.0f} µs")
seen = calls >= 1 and whole > 10 * alone
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
