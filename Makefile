# Every word sets up what it needs, from the packages that requirements/ pins by version and hash.
# `make PYTHON=python3.12 VENV=.venv/3.12 test` takes another interpreter, in an environment of its own.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
MINUTES ?= 30

.PHONY: help setup demo test pytest docs links release lint fuzz depth test-all test-oldest lock upgrade browser clients screenshots bench hosts workers chaos clean
help:
	@echo "make demo    import a small plan against the simulator, start to report, in under a minute"
	@echo "make test    format, lint and type checks, then every test"
	@echo "make test-all     every test on each of Python 3.11, 3.12 and 3.13 that is found"
	@echo "make test-oldest  every test with the oldest packages that pyproject.toml allows"
	@echo "make docs    the manual as a site in build/docs/, strictly: a warning or a dead link is an error"
	@echo "make release  wheel, source distribution, bill of materials in dist/, each tried as its user would; publishes nothing"
	@echo "make links   asks every address outside that the manual names; needs the network"
	@echo "make fuzz    the property tests with fresh seeds; MINUTES=30"
	@echo "make browser  the tests of the HTML report alone, with axe-core; needs Chromium and npm"
	@echo "make screenshots  the pictures in docs/; needs Chromium"
	@echo "make hosts   the tests of journals in a database and of workers; needs PostgreSQL, a minute"
	@echo "make workers  many hosts on one machine: a database, two workers, one kill -9; a minute, needs PostgreSQL"
	@echo "make chaos   the long fault-injection suite: 440 plans on virtual time, 20 storms of kill -9"
	@echo "make bench   the benchmarks; prints ratios measured in one run"
	@echo "make lock    requirements/ again, after pyproject.toml has changed; keeps what still fits"
	@echo "make upgrade  requirements/ again, with the newest packages"
	@echo "make clean   remove the virtual environments and the caches"

# $(call fill,environment,files): the packages of the files, then the program, built by what they brought.
# Each file names all that is needed. Without --no-deps, pip before 23.3 looks anew for a package that another wants
# with an extra, takes the newest, and refuses it as not pinned.
define fill
@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "migrator needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
$(PYTHON) -m venv $(1)
$(1)/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes $(addprefix -r requirements/,$(2))
$(1)/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
$(1)/bin/python -m pip --disable-pip-version-check check
endef

# One environment that grows: what the program needs, and what its development needs besides.
$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml hatch_build.py
	@echo "Once: installs what migrator needs into $(VENV), 19 MB to download, 155 MB on disk; takes 15 s to a minute."
	$(call fill,$(VENV),run.txt build.txt)
	@touch $@

$(VENV)/.ready: requirements/dev.txt pyproject.toml hatch_build.py
	@echo "Once: installs what the tests need into $(VENV), 145 MB to download, 570 MB on disk; takes 30 s to two minutes."
	$(call fill,$(VENV),dev.txt)
	@touch $(VENV)/.run $@

setup: $(VENV)/.ready

demo: $(VENV)/.run
	@$(VENV)/bin/migrator demo

lint: setup
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy

# A worker that a test's timeout ends is not replaced: the scheduler would wait for the new one forever.
# Many tests wait for real processes: four at a time use two cores well.
PYTEST := -m pytest -n 4 --dist loadfile --max-worker-restart 0
# What needs a PostgreSQL server and processes of its own has a word of its own.
pytest: setup
	$(PY) $(PYTEST) --ignore tests/hosts

hosts: setup
	$(PY) $(subst loadfile,load,$(PYTEST)) tests/hosts

test: lint pytest

test-all: setup
	@$(PY) -m tests.every_python

OLDEST := $(VENV)/oldest
$(OLDEST)/.ready: requirements/oldest.txt pyproject.toml hatch_build.py
	$(call fill,$(OLDEST),oldest.txt)
	@touch $@

test-oldest: $(OLDEST)/.ready
	$(OLDEST)/bin/python $(PYTEST)

# The manual's generator has an environment of its own: neither the program nor its tests need it.
DOCS := $(VENV)/docs
$(DOCS)/.ready: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements/docs.txt
	@touch $@

SITE := $(DOCS)/bin/python -m sphinx --conf-dir docs/site --doctree-dir build/doctrees --fail-on-warning --keep-going --quiet
docs: $(DOCS)/.ready
	rm -rf build/docs
	$(SITE) --fresh-env --jobs auto . build/docs
	$(DOCS)/bin/python -m tests.built_site build/docs

links: $(DOCS)/.ready
	$(SITE) --builder linkcheck . build/links
	@test -s build/links/output.txt || echo "the manual names no address outside"

# What a release is made with has an environment of its own, too.
RELEASE := $(VENV)/release
$(RELEASE)/.ready: requirements/release.txt
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements/release.txt
	@touch $@

release: $(RELEASE)/.ready
	@$(RELEASE)/bin/python -m tests.release $(if $(REHEARSAL),--rehearsal)

fuzz: setup
	@$(PY) -m tests.fuzz --minutes $(MINUTES)

# Answers and journals at depth: a million inputs, changed in their structure; some ten minutes.
depth: setup
	@$(PY) -m tests.depth $(INPUTS) $(SEED)

# uv resolves for every platform and Python at once; it has an environment of its own, since nothing else needs it.
UV := $(VENV)/uv/bin/uv
$(UV):
	$(PYTHON) -m venv $(VENV)/uv
	$(VENV)/uv/bin/python -m pip install --disable-pip-version-check 'uv>=0.9'

COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) --no-config pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links $(UPGRADE)
# What is installed together is pinned together: the program runs with the versions that its tests have.
AS_TESTED := --constraints requirements/dev.txt
lock: $(UV)
	$(COMPILE) pyproject.toml --group build --extra dev --output-file requirements/dev.txt
	$(COMPILE) $(AS_TESTED) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) $(AS_TESTED) pyproject.toml --extra postgres --extra fast --output-file requirements/container.txt
	$(COMPILE) $(AS_TESTED) --group build --output-file requirements/build.txt
	$(COMPILE) $(AS_TESTED) --group build --group release --output-file requirements/release.txt
	$(COMPILE) $(AS_TESTED) --group docs --fork-strategy fewest --output-file requirements/docs.txt
	$(COMPILE) pyproject.toml --group build --extra dev --extra fast --resolution lowest-direct \
		--output-file requirements/oldest.txt

upgrade:
	@$(MAKE) lock UPGRADE=--upgrade

# axe-core looks for what keeps people out. It is fetched, never committed; without npm its test is left out.
AXE := $(VENV)/node/node_modules/axe-core/axe.min.js
$(AXE): $(VENV)/.ready
	npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/node axe-core@4
	@touch $@

browser: $(AXE)
	$(PY) -m pytest tests/browser

# Clients that nobody here wrote, as far as npm has them; those of PyPI are part of `make test`.
clients: setup
	@command -v npm > /dev/null || { echo "make clients needs Node.js and npm"; exit 1; }
	npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/clients @huaweicloud/huaweicloud-sdk-core@3 esdk-obs-nodejs@3
	$(PY) -m tests.clients $(abspath $(VENV))/clients/node_modules

screenshots: setup
	$(PY) -m tests.browser.screenshots

workers: setup
	@$(PY) -m tests.hosts.demo

chaos: setup
	$(PY) -m tests.chaos.hunt
	$(PY) -m tests.chaos.mixed 0 100
	$(PY) -m tests.chaos.storm
	$(PY) -m tests.chaos.hosts

bench: setup
	@$(PY) -m tests.bench.run_all

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
