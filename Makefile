# `make demo` and `make test` do everything from a fresh checkout: virtual environment included.
# PYTHON=python3.13, say, chooses another one than python3; one that is missing is an error.
PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
ENVIRONMENT := bash requirements/environment.sh
# Arguments for pytest in every test target: `make test PYTEST="-k identity"`.
PYTEST ?=
# Arguments for the demonstration: `make demo DEMO="--pictures --seeds 3"`.
DEMO ?=

.PHONY: demo test test-slow test-lowest test-newest lint format lock environment clean help

help:
	@echo "make demo         train with and without GloRe units on a small rendered dataset (about 3 minutes on 2 cores)"
	@echo "                  DEMO=--pictures: on rendered pictures instead of videos; DEMO=--scenes: segmentation"
	@echo "make test         the fast tests"
	@echo "make test-slow    the tests that take longer"
	@echo "make test-lowest  the fast tests on Python 3.10 with the lowest versions that setup.cfg allows"
	@echo "make test-newest  the fast tests on the newest Python here with the newest versions"
	@echo "make lint         ruff and mypy"
	@echo "make format       let ruff format and mend what it can"
	@echo "make lock         renew requirements/locked.txt, the versions that all the others install"
	@echo "make clean        remove the virtual environments and what tools left behind"
	@echo "PYTHON=python3.13 chooses the Python, VENV=folder the environment, PYTEST='...' arguments of pytest"

environment:
	@$(ENVIRONMENT) $(VENV) locked dev $(PYTHON)

demo:
	@$(ENVIRONMENT) $(VENV) locked "" $(PYTHON)
	$(BIN)/python tools/demo.py $(DEMO)

test: environment
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile $(PYTEST)

test-slow: environment
	$(BIN)/python -m pytest -m slow -n auto --dist loadfile $(PYTEST)

# In one process, where a test that leaves something behind disturbs the others.
test-lowest:
	@$(ENVIRONMENT) .venv-lowest lowest dev $(or $(PYTHON),python3.10)
	.venv-lowest/bin/python -m pytest -m "not slow" $(PYTEST)

test-newest:
	@$(ENVIRONMENT) .venv-newest newest dev $(or $(PYTHON),newest)
	.venv-newest/bin/python -m pytest -m "not slow" -n auto --dist loadfile $(PYTEST)

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: environment
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	bash requirements/lock.sh $(PYTHON)

clean:
	rm -rf .venv .venv-lowest .venv-newest .venv-lock
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
