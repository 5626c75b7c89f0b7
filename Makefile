# Everything that a person does with this repository. Needs Debian 12, root, and nothing installed beforehand.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || echo /usr/bin/python3.11)

# strongSwan with VICI and the userland data plane; ping for the demonstration.
PACKAGES := python3.11 python3.11-venv iproute2 iputils-ping procps charon-systemd strongswan-swanctl \
            libcharon-extra-plugins libstrongswan-standard-plugins

.PHONY: help setup demo serve test unit check bench lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## install what everything else needs (Debian packages, .venv), and nothing more

$(VENV)/.packages: Makefile
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -q '^installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  echo "setup: installing Debian packages:" $$missing; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@mkdir -p $(VENV) && touch $@

$(VENV)/.ready: $(VENV)/.packages requirements-dev.txt pyproject.toml
	@echo "setup: creating $(VENV) from requirements-dev.txt"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)  # also when one was interrupted
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## a real tunnel between two sites on this machine; ONCE=1 checks it and cleans up
	@$(BIN)/python -m lab.demo $(if $(ONCE),--once)

serve: setup ## the service on 127.0.0.1:8700, with its data in ./landbridge-data
	@$(BIN)/landbridge serve --data landbridge-data

unit: setup ## the tests of every minute: no network, no processes
	@$(BIN)/python -m pytest tests --ignore tests/scenarios --ignore tests/compat --ignore tests/cli -m "not tunnel"

test: setup ## every test, real tunnels and foreign clients included
	@$(BIN)/python -m pytest tests

check: setup ## formatting, lint, types, arrows between the rooms
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## the figures of the README, as ratios to floors of the same run
	@$(BIN)/python -m bench

lock: ## write requirements*.txt anew from pyproject.toml (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.txt

clean: ## remove what setup and the tests made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
