# The commands of this project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv from the path, else from a folder under var/, where pip installs it.
UV := $(shell command -v uv 2>/dev/null || echo var/uv/bin/uv)
# Commands that work on the code alone: made-up secrets, and a database under var/ whatever .env says.
ON_CODE := PORTAL_DEMO=1 DATABASE_URL= REDIS_URL=

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench run install requirements messages clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## a building at work, until Ctrl-C
	@$(BIN)/python manage.py demo

test: $(VENV)/.dev ## all tests, a process per core
	$(BIN)/pytest -n auto

lint: $(VENV)/.dev ## formatting, style, types, import directions, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(ON_CODE) $(BIN)/python manage.py makemigrations --check --dry-run

bench: $(VENV)/.dev ## measure speed against floors taken in the same run (JSON=1 for machines)
	$(BIN)/python manage.py bench $(if $(JSON),--json)

run: $(VENV)/.demo ## the portal alone, with the settings of .env, on http://localhost:8000
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py collectstatic --noinput --verbosity 0
	$(BIN)/python manage.py run

install: $(VENV)/.dev ## set up the tools for working on the code

requirements: | $(filter var/%,$(UV)) ## compile the pinned requirements from pyproject.toml
	cd requirements && for name in base sandbox dev; do \
		case $$name in base) extras="";; sandbox) extras="--extra sandbox -c base.txt";; \
			dev) extras="--all-extras -c sandbox.txt";; esac; \
		$(if $(filter var/%,$(UV)),../)$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url $$extras ../pyproject.toml -o $$name.txt; done

messages: ## collect the messages for translation, and compile the translated ones (needs gettext)
	$(ON_CODE) $(BIN)/python manage.py makemessages -l zh_Hant --no-location --ignore=.venv --ignore=var --ignore=tests
	$(ON_CODE) $(BIN)/python manage.py compilemessages -l zh_Hant --ignore=.venv --ignore=var

clean: ## delete what the commands made: environment, databases, caches
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis

var/uv/bin/uv:
	@echo "Fetching uv ..."
	@$(PYTHON) -m venv var/uv
	@var/uv/bin/pip install --quiet --disable-pip-version-check uv

# The tests' set includes the demo's: after `make install` the demo has nothing to install.
$(VENV)/.demo: requirements/sandbox.txt | $(filter var/%,$(UV))
	@test -f $(VENV)/.dev -a ! $(VENV)/.dev -ot requirements/dev.txt || { \
		echo "Installing what the demo needs into $(VENV) ..." && \
		{ test -d $(VENV) || $(UV) venv --quiet --python $(PYTHON) $(VENV); } && \
		$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/sandbox.txt; }
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(filter var/%,$(UV))
	@echo "Installing what the tests need into $(VENV) ..."
	@test -d $(VENV) || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	@touch $@
