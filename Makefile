# Every target does its own set-up. `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "medner needs Python 3.11 or newer; say make PYTHON=python3.12, for example")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[local,dev]'
	touch $@

typing: $(READY)  ## the links by which mypy sees the top-level folders as medner.*
	@mkdir -p build/typing/medner
	@for name in agents evaluation graph service store training; do ln -sfn ../../../$$name build/typing/medner/$$name; done

check: typing  ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY)  ## unit, property and model tests
	$(BIN)/pytest

.PHONY: help typing check test
