# `make demo` and `make test` are all there is to know; both set up .venv by themselves.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help setup demo test check tools samples clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */make \1\t/' | expand -t 16

setup: .venv/.installed ## .venv with the command .venv/bin/biaoshi

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	    echo "biaoshi needs Python 3.11 or newer, which $(PYTHON) is not; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2
	    exit 2
	}
	echo "setting up .venv, which takes a minute the first time"
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/.tested: .venv/.installed
	@$(PIP) --editable '.[test]'
	touch $@

demo: .venv/.installed ## label and verify one file of every container
	@$(BIN)/biaoshi demo

test: .venv/.tested tools check ## format, lint, types, import rules and tests

check: # what `make test` runs once everything is installed
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

tools: # the independent readers that the tests use; says which are missing
	@.ci/tools

samples: .venv/.tested tools ## make the files in samples/ anew
	@$(BIN)/python samples/make.py

clean: ## remove what make has made
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo-out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
