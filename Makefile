# Two commands for a newcomer: make demo, make test. CI calls the same verbs.
PYTHON ?= python3
PORT ?= 8501
SET ?= charts
VENV := .venv
BIN := $(VENV)/bin

# Stamps: a second call finds them newer than their sources and does nothing.
BASE := $(VENV)/.base
INSTALLED := $(VENV)/.installed
PICTURES := $(VENV)/.installed-pictures
DEV := $(VENV)/.installed-dev

# The versions that were tested; the newest that the ranges allow, in a new clone: make install CONSTRAINTS=/dev/null
CONSTRAINTS ?= constraints.txt
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-fast check sentences constraints licences bench docs screenshots clean

# Some hundred processes start here, of tests and of workers; each would compile every file again.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BASE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "SLIM Studio needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1): name another one, make PYTHON=python3.12" >&2; \
	  exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make a virtual environment: install its venv package (Debian: apt-get install python3-venv)." >&2; \
	  exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): $(BASE) requirements.txt constraints.txt pyproject.toml $(filter-out /dev/null,$(CONSTRAINTS))
	$(PIP) -r requirements.txt -c $(CONSTRAINTS)
	$(PIP) --no-deps -e .
	@touch $@

$(DEV): $(INSTALLED) requirements-dev.txt
	$(PIP) -r requirements-dev.txt -c $(CONSTRAINTS)
	@touch $@

$(PICTURES): $(INSTALLED)
	$(PIP) -e '.[pictures]' -c $(CONSTRAINTS)
	@touch $@

install: $(INSTALLED) ## virtual environment with everything SLIM Studio runs on

demo: $(if $(filter charts pictures stickers,$(SET)),$(PICTURES),$(INSTALLED)) ## the whole loop on a demo set, and the dashboard (SET=charts PORT=8501)
	@exec $(BIN)/slim demo --port $(PORT) --set $(SET)

# Two tests at a time, which is what two cores bear: with three, tests of real processes wait too long (tests/shares.py says
# which process does which).
PYTEST_ARGS ?= -n 2 --dist loadfile
# CI runs all in one: make test WHICH="slow or not slow"
WHICH ?= not slow
test test-slow test-fast: export OMP_NUM_THREADS ?= 1
test: $(DEV) ## the tests, a real Chromium and workers that are killed included, without the slow ones
	$(BIN)/python -m pytest -m "$(WHICH)" $(PYTEST_ARGS)

test-slow: $(DEV) ## the slow tests: whole pages in Chromium, trainings, outages
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

# The fast tests make 100,000 small files. In memory they cost least: /dev/shm, where there is one with 2 GB to spare.
IN_MEMORY = $(shell df -k /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2000000 { print $$6 }')
test-fast: export TMPDIR ?= $(or $(IN_MEMORY),/tmp)
test-fast: $(DEV) ## the tests without a browser, without workers, without pages and slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser and not redis and not page and not slow"

check: $(DEV) ## ruff, mypy, the licences of the packages, and known advisories against them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/packages.py check
	$(BIN)/python .ci/advisories.py

sentences: $(DEV) ## keep the texts of the production code as they are now, after one was changed (tests/sentences)
	$(BIN)/python -m tests.production_sentences

constraints: $(DEV) ## keep the versions that are installed now as those that were tested
	$(BIN)/python .ci/packages.py constraints > constraints.tmp && mv constraints.tmp constraints.txt

licences: $(DEV) ## write docs/licences.md anew
	$(BIN)/python .ci/packages.py licences > docs/licences.tmp && mv docs/licences.tmp docs/licences.md

# Not among them are the studies of benchmarks.accuracy, each of which is asked for by its name (docs/benchmark.md).
BENCHMARKS := ways speed import_ jobs chaos annotation pages first_hour hostile served finder door million spaces
bench: $(DEV) ## all benchmarks but the studies; results go to benchmarks/results
	@for name in $(BENCHMARKS); do \
	  echo "== $$name"; $(BIN)/python -m benchmarks.$$name --json benchmarks/results/$${name%_}.json || exit 1; done

docs: $(DEV) ## the pages of docs/ as a site, in build/docs; a broken link is an error
	$(BIN)/zensical build --clean --strict

screenshots: $(DEV) $(PICTURES) ## the pictures that README and tutorial show
	$(BIN)/python -m tests.browser.screenshots --readme $(if $(FROM),--home $(FROM))

clean: ## remove the virtual environment and caches (SLIM_HOME stays)
	rm -rf $(VENV) .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
