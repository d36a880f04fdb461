# The commands of the README. Each runs `setup` first where .venv is missing or stale.
PYTHON ?= python3
CXX ?= c++
# More options of pip, for every install: the index of another build of torch, a proxy.
PIP_ARGS ?=
# `no` leaves torch-scatter out, whose compilation takes most of the time.
SCATTER ?= yes
BIN := .venv/bin
OUT ?= demo
LOG ?=
ITEMS ?=
TESTS ?= tests recsparse
DIST ?= dist
PIP := $(BIN)/pip install --quiet --constraint constraints.txt $(PIP_ARGS)

.PHONY: setup demo test test-slow check bench bench-peers bench-data-peers docs pictures ui wheel compiler headers announce
.DELETE_ON_ERROR:

WITH_SCATTER := $(filter-out no,$(SCATTER))

setup: .venv/ready $(if $(WITH_SCATTER),.venv/scatter)

# The package compiles its own kernels as it is installed.
.venv/ready: pyproject.toml constraints.txt hatch_build.py $(wildcard recsparse/*/kernels/*.cpp recsparse/*/*/kernels/*.cpp recsparse/*/kernels/*.h)
	@$(MAKE) --no-print-directory compiler
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "recsparse needs Python 3.11 or newer, but $(PYTHON) is older; pass another, as in make setup PYTHON=python3.12" >&2; exit 2; }
	$(if $(WITH_SCATTER),@$(MAKE) --no-print-directory headers)
	@$(MAKE) --no-print-directory announce
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade $(PIP_ARGS) pip
	$(PIP) --group dev --editable .
	@touch $@

# Compiled against the torch that is installed.
.venv/scatter: constraints.txt | .venv/ready
	@echo "compiling torch-scatter (3 to 5 minutes, unless pip has cached its wheel)"
	$(PIP) setuptools wheel ninja
	$(PIP) --no-build-isolation torch-scatter
	@touch $@

headers:
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || \
	  { echo "torch-scatter is compiled with Python's headers, but $(PYTHON) has no Python.h;" \
	         "install them: 'apt install python3-dev' (Debian, Ubuntu), 'dnf install python3-devel' (Fedora)," \
	         "or leave it out: make setup SCATTER=no" >&2; exit 2; }

announce:
	@echo "setup fetches 0.5 GB with torch's CPU build, but 3.1 GB with the CUDA build that pip takes on Linux by itself;" \
	      "the CPU build: make setup PIP_ARGS='--extra-index-url URL', with the URL that" \
	      "https://pytorch.org/get-started/locally/ shows for it.$(if $(WITH_SCATTER), Then torch-scatter compiles for 3 to 5 minutes; SCATTER=no leaves it out.)"

compiler:
	@command -v $(CXX) >/dev/null || { \
	  echo "setup compiles kernels and needs a C++ compiler, but '$(CXX)' is not there;" \
	       "install one: 'apt install g++' (Debian, Ubuntu), 'dnf install gcc-c++' (Fedora)," \
	       "'xcode-select --install' (macOS), or name yours, as in make setup CXX=clang++" >&2; exit 2; }

demo: setup
	@$(BIN)/python -m pipelines.demo --out "$(OUT)" $(if $(LOG),--log "$(LOG)") $(if $(ITEMS),--items "$(ITEMS)")

test: setup
	$(BIN)/python -m pytest -n auto --cov --cov-report=term $(TESTS)

# Whole jobs, servers and kills by the dozen, which the other suite leaves out.
test-slow: setup
	$(BIN)/python -m pytest -n auto -m slow --durations=10 $(TESTS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pydoclint --quiet recsparse pipelines benchmarks
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build --strict --clean

bench: setup
	$(BIN)/python -m benchmarks.layers
	$(BIN)/python -m benchmarks.prepare
	$(BIN)/python -m benchmarks.prepare_forms
	$(BIN)/python -m benchmarks.text
	$(BIN)/python -m benchmarks.bags
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.waiting_threads
	$(BIN)/python -m benchmarks.ranking
	$(BIN)/python -m benchmarks.grids stream
	$(BIN)/python -m benchmarks.digits
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.cold

# The engines that benchmarks.layers compares with. ocnn comes last and alone: it asks for a
# torchvision that it does not use here.
bench-peers: .venv-peers/ready

.venv-peers/ready: benchmarks/peers.txt
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --requirement benchmarks/peers.txt
	.venv-peers/bin/pip install --quiet --no-deps ocnn==2.3.3
	@touch $@

# The libraries that benchmarks.prepare compares with.
bench-data-peers: .venv-data-peers/ready

.venv-data-peers/ready: benchmarks/peers_data.txt
	@test -x .venv-data-peers/bin/python || $(PYTHON) -m venv .venv-data-peers
	.venv-data-peers/bin/pip install --quiet --requirement benchmarks/peers_data.txt
	@touch $@

docs: setup
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build --strict --clean

# Needs Chromium; the pictures of benchmarks come from these.
pictures: setup
	$(BIN)/python -m docs.pictures

ui: setup
	$(BIN)/mlflow ui --backend-store-uri \
	  "$$($(BIN)/python -c 'import sys; from recsparse.tracking.store import local_uri; print(local_uri(sys.argv[1]))' "$(OUT)")"

# In $(DIST): the sdist and, made from it, one wheel for every Python, since its kernels load by
# ctypes. Its tag says the oldest glibc that they run with.
wheel: setup
	rm -rf "$(DIST)/unlabelled"
	$(BIN)/python -m build --outdir "$(DIST)/unlabelled" .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/auditwheel repair --wheel-dir "$(DIST)" "$(DIST)"/unlabelled/*.whl
	mv "$(DIST)"/unlabelled/*.tar.gz "$(DIST)"
	rm -r "$(DIST)/unlabelled"
