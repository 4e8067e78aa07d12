# Every command of this project. Whatever a command needs that is not on the machine, it installs or names.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

CLUSTER ?= simops
TEST_CLUSTER ?= simops-test
# More arguments for pytest: `make test ARGS="-k bundle -x"`.
ARGS ?=
PY := .venv/bin/python
BIN := .venv/bin

.PHONY: help env assets images up down demo test chaos histories versions lint format bench docs logs clean status sbom audit

help: ## Print this list.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: CLUSTER=$(CLUSTER) TEST_CLUSTER=$(TEST_CLUSTER) ARGS=… SIMOPS_KUBECONFIG=… SIMOPS_CACHE=…"

# Not a file target: the script knows best, in 20 ms, whether there is something to do.
env:
	@hack/env

assets: env ## Build the page of the gateway, if its sources changed.
	@$(PY) hack/assets build

images: env ## Build the container images that changed.
	@$(PY) hack/images build

up: env ## Bring up the local cluster with SimOps installed.
	@$(PY) hack/demo --cluster $(CLUSTER) --up-only

demo: env ## Bring everything up, run the sample job, put its results into out/demo.
	@$(PY) hack/demo --cluster $(CLUSTER)

down: env ## Remove the local cluster $(CLUSTER) of this machine and everything of it.
	@$(PY) hack/cluster down --name $(CLUSTER)

status: env ## Say what runs: the cluster, SimOps, jobs, images.
	@$(PY) hack/demo --cluster $(CLUSTER) --status

logs: env ## Print the operator's log and the end of the cluster's own logs.
	@$(PY) hack/demo --cluster $(CLUSTER) --logs

lint: env ## Check style, types, layering and generated files.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PY) -m simops_crds --check
	$(PY) hack/assets check

format: env ## Format the code and regenerate what is generated.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(PY) -m simops_crds

# The tools are built before the tests, so that no test's time limit has to cover a build.
test: lint images ## Pass every test, unit to end-to-end, on a cluster of their own.
	@$(PY) hack/test --cluster $(TEST_CLUSTER) $(ARGS)

chaos: images ## Let everything go wrong that can, one after another, and check every promise (`make test` tries a few).
	@SIMOPS_CHAOS=all SIMOPS_CHAOS_POINTS=2000 $(PY) hack/test --cluster $(TEST_CLUSTER) tests/chaos tests/e2e/test_sweep_chaos.py \
	  tests/e2e/test_sweep_crash.py tests/e2e/test_operator_crash.py $(ARGS)

histories: env ## Check the reconcilers against a model of Kubernetes in 10,000 histories each (`make test`: 200).
	@SIMOPS_HISTORIES=$${SIMOPS_HISTORIES:-10000} $(PY) -m pytest -n 2 --timeout=0 tests/unit/test_core_world.py tests/unit/test_sweeps_world.py $(ARGS)

# Their two builds take minutes, so `make test` tries them only when they are there.
versions: env ## Try CRDs, policies and rights with the API servers of the oldest and the newest supported Kubernetes.
	@$(PY) hack/cluster tool kube-apiserver-1.34
	@$(PY) hack/cluster tool kube-apiserver-1.37
	@$(BIN)/pytest tests/contract -m versions $(ARGS)

bench: up ## Measure what docs/benchmarks.md states.
	@for program in hack/bench/*.py; do echo "== $$program"; $(PY) $$program || exit 1; done

docs: env ## Build the docs site into out/docs; a warning is an error.
	@$(PY) hack/docs build

sbom: images ## Write what is in each image (CycloneDX) into out/sbom.
	@$(PY) hack/sbom

audit: env ## Look for known vulnerabilities in what is locked; it says what could not be asked.
	@$(PY) hack/audit

clean: ## Remove the clusters $(CLUSTER) and $(TEST_CLUSTER), .venv, results and caches; kept: ~/.cache/simops.
	@if [ -x $(PY) ]; then $(PY) hack/cluster down --name $(CLUSTER); $(PY) hack/cluster down --name $(TEST_CLUSTER); $(PY) hack/cluster down --name $(TEST_CLUSTER)-faults; fi
	rm -rf .venv out sim/outputs api/simops_api/ui/dist api/web/node_modules api/web/.built dist .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .pytest-kind
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
