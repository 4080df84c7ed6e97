# Two commands, each with its whole set-up: `make demo` and `make test`. `make` alone lists them all.

PYTHON ?= python3
LOCK ?= requirements.lock
VENV := .venv
BIN := $(VENV)/bin

# Everything comes from the lock file; nothing here may look for a model or a data set on the net.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check bench torture

help:  ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: $(VENV)/installed  ## train a LoRA on the demo base, draw with it, judge it, write a report
	$(BIN)/lorasmith demo run

test: $(VENV)/installed  ## run the tests, without the slow ones
	$(BIN)/python -m pytest -m "not slow"

check: $(VENV)/installed  ## lint, format, types, import direction, README
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py tests/test_readme.py

bench: $(VENV)/installed  ## run the slow tests and the benchmarks; needs minutes and a quiet machine
	$(BIN)/python -m pytest -m slow
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

MINUTES ?= 10

torture: $(VENV)/installed  ## kill trainings at random moments for MINUTES (10), go on, compare every byte
	LORASMITH_TORTURE_MINUTES=$(MINUTES) $(BIN)/python -m pytest -s -m slow tests/training/test_kill.py

# An environment that is there already is kept, with what was put into it: see docs/gpu.md.
$(VENV)/installed: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Lorasmith needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	@echo "installing the packages of $(LOCK) into $(VENV); done once, takes some minutes"
	@$(PYTHON) -m venv $(VENV) || { echo "Python cannot make an environment; on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install -q -q -r $(LOCK)
	$(BIN)/python -m pip install -q -q --no-deps --no-build-isolation -e .
	@touch $@
