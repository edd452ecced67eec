# `make run` starts the bot, `make test` runs every test; both install what they need into .venv first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install run test check eval bench chaos lock clean

help:
	@echo "make run     installe puis démarre le bot (page de discussion sur http://127.0.0.1:8000/)"
	@echo "make install installe seulement (pour un service)"
	@echo "make test    installe puis lance tous les tests"
	@echo "make check   format, lint, types, contrats d'import, tests unitaires et de contrat"
	@echo "make eval    pose les questions de tests/eval et imprime le tableau des réponses justes"
	@echo "make bench   mesure le bot à côté de ses limites et de ses alternatives"
	@echo "make chaos   tue, noie et coupe le bot, puis compte ce qui est perdu"

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 ou plus récent est nécessaire : $(PYTHON) est introuvable." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 ou plus récent est nécessaire (trouvé : $$($(PYTHON) --version)). Indiquez-le ainsi : make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Le module venv de Python manque. Sous Debian ou Ubuntu : sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	@test -f $(INSTALLED_DEV) -a $(INSTALLED_DEV) -nt requirements.lock || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(INSTALLED)

run: $(INSTALLED)
	@exec $(BIN)/python -m bot run

# Two workers: most tests wait for processes, timers and browsers. A file's tests stay together.
test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/contract

eval: $(INSTALLED_DEV)
	$(BIN)/python -m tests.eval.run

bench: $(INSTALLED_DEV)
	$(BIN)/python -m benchmarks.run

chaos: $(INSTALLED_DEV)
	$(BIN)/python -m benchmarks.chaos

# Needs uv; written so that the lock files hold hashes and no address.
lock:
	uv pip compile pyproject.toml requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock
	uv pip compile pyproject.toml requirements.in -c requirements.lock --extra test --extra bench --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-dev.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
