# Python >= 3.10, make and git are all that is needed: everything else goes below .venv and .cache.
# PYTHON=... names the interpreter .venv is made with; tests/tools/find_python.sh chooses one otherwise.

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.complete
LEGS := $(VENV_PYTHON) tests/tools/legs.py
PYTHON ?=
# For the total time; .ci/run began earlier.
ifndef STARTED
export STARTED := $(shell date +%s)
endif

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all lint types sanity molecule units integration cluster cluster-down bench proofs dist clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-14s %s\n", $$1, $$2 }'

venv: $(STAMP) ## the environment in .venv
	@$(VENV_PYTHON) tests/tools/checkout.py link >/dev/null

# Always from scratch: what a pin no longer names does not stay behind.
$(STAMP): requirements.txt tests/requirements.txt tests/constraints.txt
	@python="$$(tests/tools/find_python.sh $(PYTHON))" && \
	echo "making $(VENV) with $$python ($$($$python -c 'import platform; print(platform.python_version())'))" && \
	"$$python" -m venv --clear $(VENV) && \
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt && \
	touch $@

demo: venv ## the whole thing on a real API server (DEMO_KUBECONFIG=path: on that cluster)
	@$(VENV_PYTHON) tests/demo/demo.py

test: venv .cache/peers/.complete ## everything below that is not slow; closes with pytest's line
	@$(LEGS) lint types sanity molecule units integration

test-all: venv .cache/peers/.complete ## test and the slow tests
	@$(LEGS) --slow lint types sanity molecule units integration

lint: venv ## ruff, yamllint, ansible-lint, changelog and documentation
	@$(LEGS) lint

types: venv ## mypy, strict
	@$(LEGS) types

sanity: venv ## ansible-test sanity, without Docker
	@$(LEGS) sanity

molecule: venv .cache/peers/.complete ## the scenarios of the roles in extensions/molecule
	@$(LEGS) molecule

units: venv ## the tests that need no cluster
	@$(LEGS) units

integration: venv .cache/peers/.complete ## the tests on a real control plane
	@$(LEGS) integration

cluster: venv ## start a control plane and print its export KUBECONFIG=... (NODE=1: with a node)
	@$(VENV_PYTHON) tests/cluster/cluster.py up $(if $(NODE),--node)

cluster-down: venv ## stop it
	@$(VENV_PYTHON) tests/cluster/cluster.py down

proofs: venv .cache/peers/.complete ## the promises that are numbers, measured (PROOFS="--quick NAME": some of them)
	@$(VENV_PYTHON) tests/proofs/prove.py $(PROOFS)

bench: venv .cache/peers/.complete ## the benchmark against the peers
	@$(VENV_PYTHON) tests/bench/bench.py

# Their collections only, for whichever ansible-core is in .venv; the package itself says it wants Python 3.11.
.cache/peers/.complete: tests/constraints.txt
	@rm -rf $(@D)
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python \
	  --target $(@D) --constraint tests/constraints.txt ansible
	@touch $@

dist: venv ## the artefact for Galaxy, below .cache/dist
	@$(VENV)/bin/ansible-galaxy collection build --force --output-path .cache/dist

clean: ## remove .venv, .cache and what tools left behind
	rm -rf $(VENV) .cache .ansible .hypothesis tests/output
