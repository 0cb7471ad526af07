# `make demo` and `make test` do everything from a fresh checkout: virtual environment included.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint format clean help

help:
	@echo "make demo       train with and without GloRe units on a small rendered dataset (5 to 15 minutes on 2 cores)"
	@echo "make test       the fast tests"
	@echo "make test-slow  the tests that take longer"
	@echo "make lint       ruff and mypy"
	@echo "make format     let ruff format and mend what it can"

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

demo: $(VENV)/installed
	$(BIN)/python tools/demo.py

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow -n auto --dist loadfile

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
