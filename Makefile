# Everything a developer or a user does with this checkout. `make help` lists it.
#
# KUBE_CONTEXT=name     use that context of your kubeconfig instead of a local cluster
# IMAGE_REGISTRY=host/p where images are pushed for it
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
CLUSTER := python3 tools/cluster
IMAGES := build/images.json
# The image with language models is built where somebody has put models into its folder.
MODELS := $(if $(wildcard images/masking-models/models/*.whl images/masking-models/models/*/meta.json),masking-models)
SOURCES := operator images tools tests
PYTEST := $(BIN)/pytest -q
# Compiled once and kept, also where the environment says not to: importing all tests takes half as long.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-zA-Z_-]*:.*?## ' $(MAKEFILE_LIST) | sort | awk -F':.*?## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# --- development environment ---------------------------------------------------------------------

$(VENV)/.installed: requirements/dev.txt requirements/uv.txt pyproject.toml tools/venv.sh
	@tools/venv.sh $(VENV)
	@touch $@

.PHONY: venv
venv: $(VENV)/.installed ## Make the development environment in .venv

.PHONY: lock
lock: ## Pin and hash all requirements again, from pyproject.toml
	@tools/lock.sh

.PHONY: generate
generate: venv ## Make CRDs, chart templates and the reference again from leeward.api
	@$(BIN)/python tools/generate

# --- checks and tests ----------------------------------------------------------------------------

.PHONY: format
format: venv ## Format the code
	@$(BIN)/ruff check --quiet --fix $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

.PHONY: check
check: venv ## Lint, types, import contracts, generated files up to date
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --quiet --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/mypy tools/demo
	@$(BIN)/lint-imports --no-cache
	@$(CLUSTER) check
	@$(BIN)/python tools/generate --check

.PHONY: s3-server
s3-server: venv ## Build the S3 server that tests use
	@PYTHONPATH=tests $(BIN)/python -m s3.server

.PHONY: unit
unit: venv s3-server ## Unit, property and golden tests: no cluster, under two minutes
	@$(PYTEST) -n auto -m "not cluster"

.PHONY: chart-test
chart-test: venv ## Helm chart: lint and unit tests
	@tools/chart-test.sh

.PHONY: cluster-test
cluster-test: install s3-server ## Tests on a real cluster
	@$(CLUSTER) exec -- $(PYTEST) -m "cluster and not disruptive" -n 3 --dist loadfile tests/cluster
	@$(CLUSTER) exec -- $(PYTEST) -m "cluster and disruptive" tests/cluster
	@$(PYTEST) -m cluster tests/cluster_tool/test_recovery.py

.PHONY: test
test: ## Everything, as continuous integration runs it
	@$(MAKE) check
	@$(MAKE) unit
	@$(MAKE) chart-test
	@$(MAKE) cluster-test

.PHONY: soak
soak: venv soak-fuzz ## Long runs: 10 million fuzzed inputs, 10,000 rotations, a fault at every call, the local cluster killed
	@LEEWARD_SOAK=1 $(PYTEST) -n auto --timeout 7200 -m "not cluster" tests/property tests/chaos
	@LEEWARD_SOAK=1 $(CLUSTER) exec -- $(PYTEST) -m "cluster or not cluster" tests/cluster_tool

FUZZ_CASES ?= 10000000
.PHONY: soak-fuzz
soak-fuzz: venv ## 10 million inputs (FUZZ_CASES=...) to all parsers of untrusted bytes; goes on where it was ended
	@$(BIN)/python tests/fuzz/run_atheris.py --cases $(FUZZ_CASES) --jobs $$(nproc)

# --- cluster, images, installation ---------------------------------------------------------------

.PHONY: cluster-up
cluster-up: ## Start a real Kubernetes on this machine (NODES=2 for a second node)
	@$(CLUSTER) up $(if $(NODES),--nodes $(NODES))

.PHONY: cluster-down
cluster-down: ## Stop it; nothing is left running or mounted (WIPE=1 also forgets its state)
	@$(CLUSTER) down $(if $(WIPE),--wipe)

.PHONY: cluster-status
cluster-status: ## Say what runs, and how to reach it
	@$(CLUSTER) status

.PHONY: images
images: cluster-up ## Build the images and bring them into the cluster
	@mkdir -p build
	@$(CLUSTER) images build operator masking $(MODELS) --output $(IMAGES)

.PHONY: install
install: venv images ## Install the chart from this checkout into the cluster
	@$(CLUSTER) exec -- tools/install.sh $(IMAGES)

.PHONY: demo
demo: install ## From nothing to a masked dataset, on real data
	@$(CLUSTER) exec -- $(BIN)/python tools/demo

# --- benchmarks ----------------------------------------------------------------------------------

.PHONY: bench-seal
bench-seal: venv ## Sealed files on one core against a bare AES-GCM loop, age, Tink, openssl
	@$(BIN)/python tests/bench/bench_seal.py

.PHONY: bench-keys
bench-keys: venv ## Replacing keys: of files, of Datasets under long-lived pods, of a vault
	@$(BIN)/python tests/bench/bench_keys.py

.PHONY: bench-algorithms
bench-algorithms: venv ## What each algorithm costs here, for docs/choosing-algorithms.md
	@$(BIN)/python tests/bench/bench_algorithms.py

.PHONY: bench-masking
bench-masking: venv ## Masking against a bare Polars scan and write, Presidio, and packages for FF1
	@failed=0; for name in masking structured ff1; do \
	  $(BIN)/python tests/bench/bench_$$name.py || failed=1; \
	done; exit $$failed

.PHONY: bench-anonymity
bench-anonymity: venv ## k-anonymity of a million rows on one core, against looking at every node
	@$(BIN)/python tests/bench/bench_anonymity.py

.PHONY: bench-freetext
bench-freetext: venv ## Personal data found in free text against Presidio's pattern recognizers
	@$(BIN)/python tests/bench/bench_freetext.py

.PHONY: bench-operator
bench-operator: venv cluster-up ## The operator against a bare client
	@$(CLUSTER) exec -- $(BIN)/python tests/bench/bench_operator.py
