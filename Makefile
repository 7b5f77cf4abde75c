# A fresh machine needs Python 3.11 or newer with pip, make and git; everything else is installed from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder  # files in the order of tests/conftest.py
SITE_SQL = PATH="$$PATH:build/browser/python/bin" node pipelines/site/browser/build_sql.mjs build/browser build/site-sql
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export GX_ANALYTICS_ENABLED = false
# What `make site-sql` made goes into every site that is built from this checkout.
export ENGAGEMENT_SITE_SQL ?= $(wildcard $(CURDIR)/build/site-sql)

.PHONY: publish test test-servers test-browser site-scripts site-sql pictures dev lint format lock clean

publish: $(CORE) ## environment from the lock file, then the main job on the embedded sample world
	$(BIN)/engagement publish

test: $(DEV) ## everything that needs no server
	$(PYTEST)

test-servers: $(DEV) ## against real servers on this machine, installed under build/servers; they fail, not skip
	PYTHON=$(BIN)/python tests/servers/bluesky/install.sh build/servers/bluesky
	PYTHON=$(BIN)/python tests/servers/ckan/install.sh build/servers/ckan
	$(PYTEST) tests/servers -m servers

test-browser: $(DEV) ## the site in a real Chromium, installed where it is missing; it fails, not skips
	PYTHON=$(BIN)/python tests/browser/install.sh build/browser
	$(SITE_SQL)
	$(PYTEST) tests/browser -m browser

site-scripts: $(DEV) ## after a change in pipelines/site/browser: build assets/lookup.js anew from pinned npm packages
	PYTHON=$(BIN)/python tests/browser/install.sh build/browser
	pipelines/site/browser/build.sh build/browser

site-sql: $(DEV) ## the page that answers SQL: with its engine made here, `make publish` adds it to the site
	PYTHON=$(BIN)/python tests/browser/install.sh build/browser
	$(SITE_SQL)

pictures: $(DEV) ## after a change of the pages: take the pictures of the README anew
	PYTHON=$(BIN)/python tests/browser/install.sh build/browser
	$(BIN)/python -m tests.browser.pictures

dev: $(DEV) ## Dagster's UI on http://127.0.0.1:3000 with its own storage under build/dagster
	mkdir -p build/dagster && cp dagster.yaml build/dagster/dagster.yaml
	DAGSTER_HOME=$(CURDIR)/build/dagster $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p 3000

lint: $(DEV) ## what pre-commit and CI run
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/engagement check

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(DEV) ## write the lock files anew, with hashes and without download addresses
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --no-strip-extras --generate-hashes --python-version 3.11 \
	  --no-header --quiet --output-file requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --constraint requirements-dev.lock --universal --no-strip-extras \
	  --generate-hashes --python-version 3.11 --no-header --quiet --output-file requirements.lock

clean:
	rm -rf build $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(CORE): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --progress-bar off --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(DEV): requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --progress-bar off --require-hashes --requirement requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@ $(CORE)
