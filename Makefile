# Every target does its own set-up, in a virtual environment of its own: `make help` lists the targets.
#
#   make demo PYTHON=python3.12        another interpreter
#   make demo VENV=$HOME/venvs/medner  another place for the virtual environment
#   make test ARGS='-k symbol'         further options of pytest
#   make test WORKERS=2                several processes, one thread each

PYTHON ?= python3
VENV   ?= .venv
VLLM   ?= .venv-vllm
STUDIO ?= .venv-label-studio
LANGGRAPH ?= .venv-langgraph
ARGS   ?=
WORKERS ?=

BIN  := $(VENV)/bin
RUN  := $(VENV)/.ready-run
DEV  := $(VENV)/.ready-dev
BENCH := $(VENV)/.ready-bench
CLUSTERS := $(VENV)/.ready-clusters
DEMO := build/demo
PIP  := $(BIN)/python -m pip --disable-pip-version-check --no-input

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# A terminal without a UTF-8 locale still prints Chinese.
export PYTHONUTF8 := 1

.PHONY: help setup demo model test test-fast test-browser test-vllm test-gpu test-faults test-label-studio test-langgraph test-clusters test-doors check typing docs bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "medner: no $(PYTHON) here; name a Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("medner: $(PYTHON) is Python %d.%d, and 3.11 or newer is needed: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { rm -f $@; echo "medner: no virtual environment could be made in $(VENV) (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }

# `local` holds PyTorch, which is most of the download; what only developers need is left out of the demo.
$(RUN): pyproject.toml | $(VENV)/bin/python
	@echo "Installing medner and what it runs on into $(VENV): some minutes the first time, 1.3 GB of disk"
	$(PIP) install --editable '.[local]'
	@touch $@

$(DEV): $(RUN)
	$(PIP) install --quiet --editable '.[local,dev]'
	@touch $@

$(BENCH): $(DEV)
	$(PIP) install --quiet --editable '.[local,dev,bench]'
	@touch $@

$(CLUSTERS): $(DEV)
	$(PIP) install --quiet --editable '.[local,dev,clusters]'
	@touch $@

setup: $(DEV)  ## the virtual environment, with all that a developer needs

model: $(RUN)  ## bring the base models to this machine (about 1.6 GB, once)
	@folders=$$($(BIN)/medner models pull) && for folder in $$folders; do echo "Base model: $$folder"; done

demo: model  ## annotate the sample notes with the real model and make a page of them
	@mkdir -p $(DEMO)
	@began=$$SECONDS && \
	$(BIN)/medner annotate examples/notes --html $(DEMO)/annotations.html -o $(DEMO)/annotations.jsonl && \
	echo "Annotating the sample notes took $$((SECONDS - began)) s, loading the model included." && \
	echo "The page, for any browser: $(CURDIR)/$(DEMO)/annotations.html"

# Two processes of two threads each on two cores slow each other down many times.
PARALLEL := $(if $(WORKERS),OMP_NUM_THREADS=1)
SPREAD := $(if $(WORKERS),-n $(WORKERS) --dist loadgroup)
# Suites with a set-up of their own.
APART := $(foreach suite,browser clusters faults gpu label_studio langgraph_dev vllm,--ignore=tests/$(suite))

test: $(DEV) model  ## all tests but the browser's, vLLM's and the faults'; those of the real model included
	$(PARALLEL) $(BIN)/pytest $(APART) $(SPREAD) $(ARGS)

test-fast: $(DEV)  ## the tests that need neither model nor browser nor network
	$(PARALLEL) $(BIN)/pytest $(APART) $(SPREAD) -m 'not model' $(ARGS)

test-browser: $(DEV)  ## the page in a real Chromium
	scripts/ensure_chromium.sh
	$(BIN)/pytest tests/browser $(ARGS)

test-vllm: $(DEV) model  ## real vLLM servers on this machine's processor
	scripts/vllm_environment.sh $(VLLM)
	MEDNER_VLLM_PYTHON=$(abspath $(VLLM))/bin/python $(BIN)/pytest tests/vllm $(ARGS)

test-gpu: $(DEV) model  ## on a GPU: load, tag, judge, 50 steps of QLoRA, with their speeds; without one, the same on a tiny model
	$(BIN)/pytest tests/gpu -rs $(ARGS)

test-faults: $(DEV)  ## jobs while workers and Redis are killed, stopped and cut off; under five minutes
	$(BIN)/pytest tests/faults $(ARGS)

test-label-studio: $(DEV)  ## a real Label Studio with medner as its backend; makes its environment (1 GB)
	scripts/ensure_chromium.sh
	scripts/label_studio_environment.sh $(STUDIO)
	MEDNER_LABEL_STUDIO=$(abspath $(STUDIO)) $(BIN)/pytest tests/label_studio $(ARGS)

test-clusters: $(CLUSTERS)  ## two nodes of Ray of which one is killed, and a local Spark; installs both (0.7 GB)
	scripts/ensure_java.sh
	$(BIN)/pytest tests/clusters $(ARGS)

test-langgraph: $(DEV)  ## the sentence graph in LangGraph's development server; makes its environment (0.6 GB)
	scripts/langgraph_environment.sh $(LANGGRAPH)
	MEDNER_LANGGRAPH=$(abspath $(LANGGRAPH)) $(BIN)/pytest tests/langgraph_dev $(ARGS)

test-doors: test-label-studio test-langgraph test-clusters  ## medner inside other programs: Label Studio, LangGraph, Ray, Spark, spaCy, Hugging Face
	$(BIN)/pytest tests/medner/test_spacy.py tests/medner/test_huggingface.py $(ARGS)

typing: | $(VENV)/bin/python
	@mkdir -p build/typing/medner
	@for name in agents core evaluation graph service store training; do ln -sfn ../../../$$name build/typing/medner/$$name; done
	@for name in medner/*; do ln -sfn ../../../$$name build/typing/$$name; done

check: $(DEV) typing  ## style, types (strict) and layers, of tests, benchmarks, scripts and examples too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd build/typing && $(abspath $(BIN))/lint-imports --config $(CURDIR)/pyproject.toml

docs: $(RUN)  ## write docs/cli.md anew from the commands
	$(BIN)/python scripts/cli_reference.py docs/cli.md

bench: $(BENCH) model  ## measure: every script of benchmarks/, one after another; those that lack an input say so
	@ls benchmarks/*.py >/dev/null 2>&1 || { echo "medner: no script in benchmarks/" >&2; exit 1; }
	@for script in $(wildcard benchmarks/*.py); do echo "== $$script"; $(BIN)/python $$script; done

clean:  ## remove what the targets made, but not $(VENV) and not the models
	rm -rf build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -path './$(VENV)' -prune -o -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +
