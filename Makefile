# One command for each thing a person does: run, test, lint, bench, docs. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= $(or $(TRADEWRIGHT_HOME),.tradewright)
PORT ?= 8000
# Tests start hundreds of Pythons, which compile everything anew where somebody forbids byte code.
export PYTHONDONTWRITEBYTECODE =

# The newest Python that is supported and present; override with `make PYTHON=… run`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)

UI_SOURCES := $(shell find frontend/src frontend/public -type f 2>/dev/null) $(wildcard frontend/*.ts frontend/*.html frontend/*.json)
NPM := npm --prefix frontend --no-audit --no-fund --loglevel=error

# Two targets side by side, each with its output in one piece where make can do that.
BESIDE := --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync)

.PHONY: help run install test lint lint-style lint-types lint-secrets lint-frontend semgrep format types contracts test-backend sim torture soak test-frontend e2e bench docs pages lock clean
help: ## List what make can do
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

# ------------------------------------------------------------------ what has to be there

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Tradewright needs Python 3.11, 3.12 or 3.13; none was found on PATH."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Could not make $(VENV). On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }

# pip checks every hash of the lock; --no-compile leaves byte code to the first import.
$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked Python packages…"
	@if [ -e $(VENV)/.installed-dev ]; then lock=requirements-dev.txt; else lock=requirements.txt; fi; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $$lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked Python packages, tests and tools included…"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(VENV)/.installed $@

frontend/node_modules/.installed: frontend/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(+!(a > 20 || (a == 20 && b >= 19)))' \
		2>/dev/null || { echo "The UI needs Node 20.19 or newer; 'node --version' says: $$(node --version 2>&1)."; exit 1; }
	@echo "Installing the locked npm packages…"
	@cd frontend && npm ci --no-audit --no-fund --loglevel=error --prefer-offline
	@touch $@

frontend/dist/index.html: frontend/node_modules/.installed $(UI_SOURCES)
	@echo "Building the UI…"
	@cd frontend && npm run --silent build > node_modules/.build.log 2>&1 || { cat node_modules/.build.log; exit 1; }
	@touch $@

install: $(VENV)/.installed-dev frontend/dist/index.html ## Install everything the other commands need

# ------------------------------------------------------------------ use it

run: $(VENV)/.installed frontend/dist/index.html ## Start everything on paper at http://127.0.0.1:8000 (PORT=…, REPLAY=path, SPEED=600)
	@exec $(BIN)/tradewright up --home "$(HOME_DIR)" --port $(PORT) \
		$(if $(REPLAY),--replay "$(REPLAY)") $(if $(SPEED),--speed $(SPEED))

# ------------------------------------------------------------------ check it

test: ## Install what is missing and run every check and test
	@$(MAKE) $(BESIDE) install
	@$(MAKE) --no-print-directory -j1 lint test-backend sim test-frontend
	@echo "make test: everything passed."

lint: $(VENV)/.installed-dev frontend/node_modules/.installed ## Lint, format check, types, import contracts, dependency check, security lint, secrets
	@$(MAKE) $(BESIDE) lint-types lint-style lint-secrets lint-frontend

lint-types:
	$(BIN)/mypy

lint-style:
	$(BIN)/ruff check backend
	$(BIN)/ruff format --check backend
	$(BIN)/lint-imports
	$(BIN)/deptry backend
	$(BIN)/bandit -q -c pyproject.toml -r backend/app backend/tradewright

# Known findings are in .secrets.baseline: examples in texts, no secrets. Tests plant their own.
# The hook notes moved lines in its baseline (exit code 3), so it gets a copy.
NOT_SEARCHED := ^Makefile$$|backend/tests/|frontend/e2e/|\.test\.tsx?$$|requirements(-dev)?\.txt$$|package-lock\.json$$|\.secrets\.baseline$$|frontend/openapi\.json$$|schema\.d\.ts$$|\.(png|svg|ico|gz|parquet|woff2)$$
lint-secrets:
	@git rev-parse -q --git-dir >/dev/null 2>&1 || { echo "Secrets were not searched for: this is no git checkout."; exit 0; }; \
	copy=$$(mktemp) && cp .secrets.baseline $$copy && echo "Searching for secrets…" && \
	{ said=$$($(BIN)/detect-secrets-hook --baseline $$copy $$(git ls-files | grep -vE '$(NOT_SEARCHED)')); code=$$?; rm -f $$copy; \
	[ $$code -eq 0 ] || [ $$code -eq 3 ] || { echo "$$said"; exit 1; }; }

lint-frontend:
	cd frontend && npm run --silent lint && npm run --silent typecheck

SEMGREP := .venv-semgrep
SEMGREP_VERSION := 1.182.0
$(SEMGREP)/bin/semgrep:
	@test -n "$(PYTHON)" && $(PYTHON) -m venv $(SEMGREP)
	@$(SEMGREP)/bin/python -m pip install -qq --disable-pip-version-check semgrep==$(SEMGREP_VERSION)

semgrep: $(SEMGREP)/bin/semgrep ## Check our own rules (.semgrep/), in a virtual environment of their own
	PATH="$(CURDIR)/$(SEMGREP)/bin:$$PATH" $(SEMGREP)/bin/semgrep scan --config .semgrep --metrics=off \
		--disable-version-check --quiet --error backend/app frontend/src

format: $(VENV)/.installed-dev ## Format and fix what can be fixed
	$(BIN)/ruff check --fix backend
	$(BIN)/ruff format backend

test-backend: $(VENV)/.installed-dev frontend/dist/index.html
	rm -f .coverage .coverage.*
	@# Three on two cores, for tests that wait for real servers leave a core to others.
	@# Tests with real servers and processes can meet a machine that stands still for seconds. What
	@# failed runs once more, alone, with everything it said; what fails twice has failed.
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-report= || { \
		test $$? -eq 1 && echo "Some tests failed: once more, alone. What passes now is flaky: mend it." && \
		$(BIN)/pytest --last-failed --last-failed-no-failures none --cov --cov-append --cov-report=; }
	$(BIN)/coverage report --include='backend/app/domain/*,backend/app/risk/*,backend/app/engine/*' --fail-under=100
	$(BIN)/coverage report --skip-covered --fail-under=90

sim: $(VENV)/.installed-dev ## Prove the order path on 2,000 simulated worlds (SEEDS=…)
	$(BIN)/tradewright sim run --seeds $(or $(SEEDS),2000)

torture: $(VENV)/.installed-dev ## Kill the real thing KILLS times on paper, then at loopback brokers
	$(BIN)/tradewright torture --kills $(or $(KILLS),200)
	cd backend && ../$(BIN)/python -m tests.torture.real_bars --kills $(or $(KILLS),200)

soak: $(VENV)/.installed-dev ## MINUTES of 1,000 live updates a second, and whether anything grows
	cd backend && ../$(BIN)/python -m tests.soak.soak --minutes $(or $(MINUTES),60)

test-frontend: frontend/dist/index.html $(VENV)/.installed-dev
	cd frontend && npm run --silent api:check && npm run --silent test
	@$(MAKE) --no-print-directory e2e

e2e: $(VENV)/.installed-dev frontend/dist/index.html ## The path through the real UI, in the system's Chromium
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null || command -v chromium-browser >/dev/null; \
	then cd frontend && npm run --silent e2e; \
	else echo "e2e skipped: no Chromium on PATH (Debian: apt-get install chromium)"; fi

bench: $(VENV)/.installed-dev ## Measure speed and memory against their limits
	@$(BIN)/tradewright bench

docs: $(VENV)/.installed-dev ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pages: $(VENV)/.installed-dev ## Write anew every file that is made from the code
	$(BIN)/tradewright config example > .env.example
	$(BIN)/tradewright openapi > frontend/openapi.json
	npm --prefix frontend run --silent api
	for page in cli configuration limits; do $(BIN)/tradewright reference $$page > docs/$$page.md; done
	$(BIN)/python -m app.indicators.page
	$(BIN)/python -m app.db.documentation

clean: ## Remove what make built (not .tradewright, which holds your data)
	rm -rf $(VENV) $(SEMGREP) frontend/node_modules frontend/dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml
lock: ## Compile the locks anew after a change of dependencies in pyproject.toml (uv and a network)
	$(COMPILE) --group build -o requirements.txt
	$(COMPILE) --group dev -o requirements-dev.txt
