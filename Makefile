# Every target does its own set-up. `make` alone prints what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_ENV := CI=$${CI:-} PYTHONDONTWRITEBYTECODE=1
# A file's tests stay together, in one process; files are shared out in their order.
PARALLEL := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo test test-slow check bench docs ledger editors editors-slow lock clean

help: ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install SBCL and Swank if missing, and the program at .venv/bin/descartes
	@PYTHON="$(PYTHON)" .ci/setup

setup-tests: setup
	@.ci/setup-tests

demo: setup ## a true session on a real library, in the terminal; WITH=nvim|emacs|code opens the editor
	@$(BIN)/descartes demo $(if $(WITH),--with $(WITH))

check: setup ## ruff, mypy, pyright, import contracts, architecture, generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_architecture.py
	$(BIN)/python .ci/documents.py --check

test: check setup-tests editors ## everything a change must pass: check, all tests, one real run in each editor
	$(TEST_ENV) $(BIN)/python -m pytest $(PARALLEL) -m "not slow"
	$(BIN)/descartes demo --quiet

test-slow: setup-tests editors-slow ## soaks, long fault injection, the remaining editors
	$(TEST_ENV) $(BIN)/python -m pytest -m slow --timeout 900

editors: setup ## install the editors the tests drive
	@.ci/editors

editors-slow: editors
	@.ci/editors slow

bench: setup-tests ## measure; prints tables with ratios taken in one run
	@.ci/setup-bench
	$(BIN)/python -m benchmarks

docs: setup ## regenerate the reference pages
	$(BIN)/python .ci/documents.py

ledger: setup-tests ## which rows of the feature ledger no passing test names
	$(BIN)/python .ci/ledger.py

lock: ## resolve the dependencies anew and write the lock
	@PYTHON="$(PYTHON)" .ci/lock

clean: ## remove everything the targets made
	rm -rf editors/vscode/node_modules editors/vscode/out editors/vscode/descartes.vsix benchmarks/results
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -prune -exec rm -rf {} +
