# `make help` lists what there is. A machine needs Python 3.11 or newer and make; everything else is installed into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PORT ?= 8000
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt
# Tests of one file stay in one process: what is expensive to start (a browser, PostgreSQL) is started once for them. A third process
# has the two cores to itself while the others wait for a browser, a database or a clock.
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder
# Databases by the hundred: where memory can be had as a folder from which programs run, they do not wait for a disk. Not so in `make faults`.
QUICK := $(shell df --output=avail -k /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 4000000' | grep -q . && [ -w /dev/shm ] \
	&& ! grep -q ' /dev/shm .*noexec' /proc/mounts && echo TMPDIR=/dev/shm)
ARGS ?=

.PHONY: help demo demo-reset test test-postgres faults fuzz mutants lint format bench screens

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.runtime ## The provider on :8000 and its portals on :8001 to :8003, with a seeded story (PORT=9000 moves all four)
	@exec $(BIN)/idp demo --port $(PORT)

demo-reset: $(VENV)/.runtime ## The same, from the beginning: what earlier runs left is thrown away
	@exec $(BIN)/idp demo --port $(PORT) --reset

test: $(VENV)/.tools ## Everything that fits in ten minutes (ARGS="tests/oidc -k refresh" narrows it)
	@$(BIN)/python -m tests.machine
	@$(QUICK) $(PYTEST) $(ARGS)

test-postgres: $(VENV)/.tools ## The whole suite on PostgreSQL
	@$(BIN)/python -m tests.machine
	@$(QUICK) IDP_TEST_DATABASE=postgresql $(PYTEST) $(ARGS)

faults: $(VENV)/.tools ## Races and crashes, with the large counts
	@IDP_TEST_LARGE=1 $(BIN)/pytest tests/faults $(ARGS)

fuzz: $(VENV)/.tools ## Made-up input, with the large counts
	@IDP_TEST_LARGE=1 $(BIN)/pytest -m fuzz $(ARGS)

mutants: $(VENV)/.tools ## Changes each line of what guards codes and tokens, and runs the tests that should notice (an hour; tests/MUTANTS.md)
	@$(PIP) mutmut
	@$(BIN)/mutmut run --max-children 2 $(ARGS)
	@$(BIN)/mutmut results

lint: $(VENV)/.tools ## Style, types, and the floors of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.tools ## Put imports and lines in order
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(VENV)/.tools ## Requests per second, side by side with others
	@$(BIN)/python -m bench $(ARGS)

screens: $(VENV)/.tools ## A picture of every page, wide and narrow, light and dark
	@$(BIN)/python -m tests.screens $(ARGS)

# Debian keeps `venv` in a package of its own.
$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: apt-get install python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; }; } \
		|| { echo "Python's venv is needed: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The package itself is built without isolation, by the hatchling that constraints.txt names: seconds instead of a second download.
$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) ..."
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation -e '.[demo]'
	@touch $@

$(VENV)/.tools: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) ..."
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $(VENV)/.runtime $@
