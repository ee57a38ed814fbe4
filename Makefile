# The commands of this project; CI uses the same ones. `make help` lists them.
# The Python of .venv: Debian's or Ubuntu's 3.11 if it is there with python3-venv (ensurepip) and python3-dev (Triton compiles with
# Python.h). It was compiled with profiles of real programs, and loads torch in a fifth less time than pyenv's.
PYTHON ?= $(shell /usr/bin/python3.11 -c 'import ensurepip, sysconfig; open(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null \
	&& echo /usr/bin/python3.11 || echo python3)
BIN = .venv/bin
PACKAGES = crds operator trainer_image dashboard
PROJECTS = $(PACKAGES:%=%/pyproject.toml)
HOME_FOLDER = $(if $(ALIGNMENT_HOME),$(ALIGNMENT_HOME),.alignment)
PORT ?= 8501
EXAMPLE ?= zephyr-tiny
# the port of examples/teacher.py, which the examples name
TEACHER_PORT = 8199
# what it says; a program that already has the port does not say so here
TEACHER_LOG = $(HOME_FOLDER)/teacher.log
# Tests that run side by side: two keep two cores busy, and the third runs while others wait; each takes up to 3 GB
WORKERS ?= 3
# Tests start hundreds of processes; where this is set, each of them compiles all modules again
export PYTHONDONTWRITEBYTECODE :=
TAG ?= 0.1.0
# compression adds llm-compressor to the trainer's image (docs/export.md)
EXTRAS ?=
PYTHON_IMAGE ?= python:3.11-slim
# set to false for a registry with plain HTTP (buildah only; docker has its own setting)
TLS_VERIFY ?= true
BUILDER = $(if $(shell command -v buildah),buildah,docker)
TLS = $(if $(filter buildah,$(BUILDER)),--tls-verify=$(TLS_VERIFY))
CHART = charts/alignment-operator
# the test cluster installs one
HELM = $(or $(shell command -v helm),$(or $(ALIGNMENT_CLUSTER_STATE),$(HOME)/.cache/alignment-operator/cluster)/bin/helm)

.DEFAULT_GOAL := help
.PHONY: help setup lock generate format check test test-long test-cluster cluster cluster-down images chart demo demo-ablation demo-teacher demo-tutor serve screenshot

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed ## install everything for development and the demo into .venv

.venv/installed: requirements.lock pyproject.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is required; choose one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check $(shell grep -o '^uv==[0-9.]*' requirements.lock)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=--editable ./%)
	@touch $@

lock: ## lock the newest versions that the pyproject files allow
	$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-package alignment-api \
		--custom-compile-command "make lock" --group dev $(PROJECTS) --output-file requirements.lock
	for package in $(filter-out crds,$(PACKAGES)); do \
		$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-package alignment-api \
			--custom-compile-command "make lock" --constraint requirements.lock $$package/pyproject.toml --output-file $$package/requirements.lock || exit 1; \
	done
	$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-package alignment-api \
		--custom-compile-command "make lock" --constraint requirements.lock --extra compression trainer_image/pyproject.toml \
		--output-file trainer_image/requirements-compression.lock

generate: setup ## regenerate the CRD and the reference
	$(BIN)/python -m alignment_api.generated.crd > crds/alignmentjobs.yaml
	$(BIN)/python -m alignment_api.generated.reference > docs/reference.md
	cp crds/alignmentjobs.yaml $(CHART)/files/

format: setup ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

check: setup ## format, lint, types, import contracts, generated files
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m alignment_api.generated.crd | diff - crds/alignmentjobs.yaml || { echo "crds/alignmentjobs.yaml is stale: run make generate" >&2; exit 1; }
	$(BIN)/python -m alignment_api.generated.reference | diff - docs/reference.md || { echo "docs/reference.md is stale: run make generate" >&2; exit 1; }
	diff crds/alignmentjobs.yaml $(CHART)/files/ || { echo "$(CHART)/files/alignmentjobs.yaml is stale: run make generate" >&2; exit 1; }

test: setup ## every test that needs no cluster, but for the long ones; FAST=1 leaves out those that start a process or load torch
	$(BIN)/python -m pytest --ignore=tests/cluster -m "not long" -n $(WORKERS) --dist worksteal

test-long: setup ## training that is killed and stopped again and again; takes minutes
	$(BIN)/python -m pytest tests/trainer -m long

test-cluster: setup ## all tests on a real Kubernetes: tests/cluster/cluster, or the one of KUBECONFIG and IMAGE_REGISTRY
	@test -n "$$KUBECONFIG" -a -n "$$IMAGE_REGISTRY" || tests/cluster/cluster up >/dev/null
	$(BIN)/python -m pytest tests/cluster

cluster: ## start a real two-node Kubernetes on this machine; prints its kubeconfig
	@tests/cluster/cluster up

cluster-down: ## stop that Kubernetes; keep its programs and images
	@tests/cluster/cluster down

images: ## build and push the three images: make images REGISTRY=host:port
	@test -n "$(REGISTRY)" || { echo "Name the registry to push to: make images REGISTRY=host:port" >&2; exit 2; }
	for target in operator dashboard trainer; do \
		image=$(REGISTRY)/alignment-$$target:$(TAG); \
		BUILDAH_LAYERS=true $(BUILDER) build $(TLS) --target $$target --tag $$image --build-arg PYTHON_IMAGE=$(PYTHON_IMAGE) \
			--build-arg EXTRAS=$(EXTRAS) \
			--build-arg VERSION=$(TAG) --build-arg REVISION=$$(git rev-parse HEAD) . && $(BUILDER) push $(TLS) $$image || exit 1; \
	done

chart: ## lint the chart and package it into dist/
	$(HELM) lint --strict $(CHART)
	$(HELM) package --app-version $(TAG) --destination dist $(CHART)

demo: setup ## make a tiny model, align it, and show the results
	$(BIN)/python examples/make_tiny.py --workspace "$(HOME_FOLDER)/workspace"
	$(BIN)/alignment run examples/tiny.yaml
	$(BIN)/python examples/ask.py tiny
	@if [ -t 0 ] && [ -t 1 ]; then $(MAKE) --no-print-directory serve; else echo "to see it in a browser, run: make serve"; fi

demo-ablation: setup ## train an ablation study, and show its table
	$(BIN)/python examples/make_ablation.py --workspace "$(HOME_FOLDER)/workspace"
	$(BIN)/alignment run examples/ablation-tiny.yaml
	$(BIN)/alignment results ablation-tiny

demo-teacher: setup ## the same with a teacher and a judge: make demo-teacher EXAMPLE=zephyr-tiny, dpo-kd-offline-tiny or dpo-kd-online-tiny
	$(BIN)/python examples/make_tiny.py --workspace "$(HOME_FOLDER)/workspace"
	$(BIN)/python examples/make_teacher.py --workspace "$(HOME_FOLDER)/workspace"
	@: > "$(TEACHER_LOG)"; OMP_NUM_THREADS=1 $(BIN)/python examples/teacher.py examples/models --port $(TEACHER_PORT) > "$(TEACHER_LOG)" & teacher=$$!; \
	trap 'kill $$teacher 2>/dev/null' EXIT; \
	until grep '^serving' "$(TEACHER_LOG)"; do \
		kill -0 $$teacher 2>/dev/null || { echo "error: the teacher did not start; if port $(TEACHER_PORT) is taken, end the program that has it" >&2; exit 1; }; sleep 0.5; \
	done; \
	$(BIN)/alignment run examples/$(EXAMPLE).yaml
	$(BIN)/python examples/ask.py $(EXAMPLE)

demo-tutor: setup ## adapters, schedules, DPO from two models, 8 and 4 bit, and one table of all
	$(BIN)/python examples/make_tutor.py --workspace "$(HOME_FOLDER)/workspace"
	$(BIN)/alignment run examples/tutor-tiny.yaml
	$(BIN)/alignment results tutor-tiny

serve: setup ## start the dashboard of this machine's jobs on http://localhost:8501
	$(BIN)/python -m alignment_dashboard --port $(PORT)

screenshot: setup ## after make demo: take the picture in README.md; needs Chromium
	$(BIN)/python dashboard/screenshot.py tiny docs/dashboard.png
