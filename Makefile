PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --no-deps

.PHONY: help setup demo test check e2e preview-picture

help: ## What can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ECR Warden needs Python 3.11 or newer: run make PYTHON=python3.13")'
	@echo "Setting up .venv: a minute or two, once"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@$(BIN)/python $(PIP_INSTALL) --no-build-isolation -e .
	@touch $@

# The SAM command pins other versions of the same packages, so that it has an environment of its own.
.venv-sam/ready: requirements/sam.txt
	@$(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/python $(PIP_INSTALL) --require-hashes -r requirements/sam.txt
	@touch $@

setup: .venv/ready ## Set up .venv with everything pinned

demo: .venv/ready ## Run the main job in an AWS inside this process, and show what came of it
	@$(BIN)/ecr-warden demo

test: .venv/ready ## Pass the tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --cov --cov-report=term

check: .venv/ready ## Linters, types, architecture, template
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@# Each of these is a program of its own, and some have the same name.
	for file in functions/*/app.py layers/*.py; do $(BIN)/mypy --no-error-summary $$file || exit 1; done
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml stacksets/*.yaml
	@# cfn-lint looks into a state machine only where the template has it itself.
	$(BIN)/python statemachines/as_template.py | $(BIN)/cfn-lint
	$(BIN)/ecr-warden check policy.yaml

e2e: .venv/ready .venv-sam/ready ## sam build, then sam local runs the functions in containers (skipped without Docker)
	$(BIN)/python -m pytest tests/e2e

preview-picture: .venv/ready ## Take the README's picture of messages anew (needs Chromium and pngquant)
	$(BIN)/python docs/images/preview.py
