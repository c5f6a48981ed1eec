# Every target sets up what it needs. `make PYTHON=python3.12 test` picks another interpreter.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: help setup demo test lint browser screenshots bench chaos clean
help:
	@echo "make demo    import a small plan against the simulator, start to report, in under a minute"
	@echo "make test    format, lint and type checks, then every test"
	@echo "make browser  the tests of the HTML report alone, with axe-core; needs Chromium and npm"
	@echo "make screenshots  the pictures in docs/; needs Chromium"
	@echo "make chaos   the long fault-injection suite: 200 plans on virtual time, 20 storms of kill -9"
	@echo "make bench   the benchmarks; prints ratios measured in one run"
	@echo "make clean   remove the virtual environment and the caches"

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "migrator needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

setup: $(VENV)/.ready

demo: setup
	@$(VENV)/bin/migrator demo

lint: setup
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy

test: lint
	$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile

# axe-core looks for what keeps people out. It is fetched, never committed; without npm its test is left out.
AXE := $(VENV)/node/node_modules/axe-core/axe.min.js
$(AXE): $(VENV)/.ready
	npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/node axe-core@4
	@touch $@

browser: $(AXE)
	$(PY) -m pytest tests/browser

screenshots: setup
	$(PY) -m tests.browser.screenshots

chaos: setup
	$(PY) -m tests.chaos.hunt
	$(PY) -m tests.chaos.storm

bench: setup
	@$(PY) -m tests.bench.run_all

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
