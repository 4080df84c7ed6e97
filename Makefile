# Two commands, each with its whole set-up: `make demo` and `make test`. `make` alone lists them all.

PYTHON ?= python3
LOCK ?= requirements.lock
VENV := .venv
BIN := $(VENV)/bin

# Everything comes from the lock file; nothing here may look for a model or a data set on the net.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Containers often set it. A hundred programs that the tests start would each compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test browser browser-slow check cpus windows second-device docs wheel notebooks bench torture cluster studio studio-check

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: $(VENV)/installed  ## train a LoRA on the demo base, draw with it, judge it, write a report
	$(BIN)/lorasmith demo run

# Two processes: one test file is always one process's, because its tests share bases and runs, and the longest begin
# (tests/long_files.py). Each computes with one thread: two processes with two threads each on two cores take twice as long as with one.
PYTEST := $(BIN)/python -m pytest -m "not slow"
BOTH_CORES := -n 2 --dist loadfile --no-loadscope-reorder
ONE_THREAD := OMP_NUM_THREADS=1

test: $(VENV)/installed  ## run the tests, without the slow ones and those in a browser
	$(ONE_THREAD) $(PYTEST) $(BOTH_CORES) --ignore=tests/browser --ignore=tests/second_device
	@$(BIN)/python -m tests.browser.chromium

browser: $(VENV)/installed  ## run the tests of the studio's page in Chromium
	$(ONE_THREAD) $(PYTEST) $(BOTH_CORES) tests/browser
	@$(BIN)/python -m tests.browser.chromium

browser-slow: $(VENV)/installed  ## run whole trainings through the studio's page in Chromium; needs minutes
	$(ONE_THREAD) $(BIN)/python -m pytest -m slow tests/browser
	@$(BIN)/python -m tests.browser.chromium

check: $(VENV)/installed  ## lint, format, types, tests over the tree, numeric tests as on other CPUs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) tests/test_imports.py tests/test_tree.py tests/test_words.py tests/test_contributing.py tests/test_readme.py tests/test_public_face.py
	$(MAKE) cpus
	$(MAKE) windows
	$(MAKE) second-device

# Tests that compare computed numbers. One CPU can only imitate another: older instructions, other libraries' kernels, and last bits
# moved on purpose, as sums in another order move them (tests/other_cpu.py). Bounds come from the arithmetic (tests/bounds.py), not from this lane.
NUMERIC := tests/parity tests/adapters tests/models tests/training/objective tests/training/optim tests/training/learner
# Not those of names, headers, files' bytes, texts and shapes on the meta device: nothing in them is rounded.
NOT_NUMERIC := $(addprefix --ignore=tests/, \
               parity/test_captions.py parity/test_keys.py parity/test_metadata.py \
               adapters/test_kinds_in_one_place.py adapters/compatibility/test_compatibility.py adapters/files/test_family.py \
               adapters/files/test_key_style.py adapters/files/test_lora_file.py adapters/files/test_names.py adapters/files/test_real_layers.py \
               adapters/tools/test_disk_tensors.py \
               models/files models/prompts/test_lora_tags.py models/prompts/test_parameters.py models/test_bring.py models/test_conversion.py \
               models/test_detection.py models/test_full_size.py)
OLD_CPU := MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 OPENCV_CPU_DISABLE=AVX2,FP16,AVX512_SKX \
           NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4"
AVX2_CPU := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=AVX2

cpus: $(VENV)/installed  ## run the numeric tests as other CPUs would
	$(OLD_CPU) $(ONE_THREAD) $(PYTEST) $(BOTH_CORES) $(NUMERIC) $(NOT_NUMERIC) tests/images tests/curation/test_audit.py
	$(AVX2_CPU) $(ONE_THREAD) $(PYTEST) $(BOTH_CORES) -p tests.other_cpu $(NUMERIC) $(NOT_NUMERIC)

# What handles files, locks and processes, with what Windows refuses refused here too (tests/as_windows). Linux shows no more of it.
WINDOWS := tests/test_dataset_folder.py tests/captions/test_history.py tests/curation/imports tests/curation/test_history.py tests/curation/test_holdout.py \
           tests/datasets/test_latents.py tests/library tests/projects tests/jobs/test_enqueue.py tests/jobs/test_handing.py \
           tests/jobs/test_supervisor.py tests/studio/test_uploads.py tests/training/records tests/training/test_commands.py

windows: $(VENV)/installed  ## run the tests of files, locks and processes with what Windows refuses refused
	PYTHONPATH=$(CURDIR)/tests/as_windows LORASMITH_TESTS_AS_WINDOWS=1 $(ONE_THREAD) $(PYTEST) $(BOTH_CORES) $(WINDOWS)

# In processes of their own: torch must know a device before it computes its first gradient.
second-device: $(VENV)/installed  ## train, draw and judge on a device that takes nothing from the CPU's memory, as GPUs do
	LORASMITH_TESTS_SECOND_DEVICE=1 $(ONE_THREAD) $(PYTEST) $(BOTH_CORES) tests/second_device

docs: $(VENV)/installed  ## build the documentation into site/; a warning is an error
	$(BIN)/mkdocs build --strict --quiet

wheel:  ## build the wheel and the source archive into dist/, and try the wheel in an environment of its own
	@$(PYTHON) release/prove_wheel.py

notebooks: $(VENV)/installed  ## run the notebooks, and the guides that are walked through, on the demo's base
	$(ONE_THREAD) $(BIN)/python -m pytest -m slow tests/notebook tests/handbook

bench: $(VENV)/installed  ## run the slow tests and the benchmarks; needs minutes and a quiet machine
	$(BIN)/python -m pytest -m slow
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

studio: studio-ui/node_modules/installed  ## build the studio's page from studio-ui/ into the package; needs Node
	cd studio-ui && npm run --silent check && npm run --silent test && npm run --silent build

studio-check: studio  ## the page that is committed is what its source builds
	@test -z "$$(git status --porcelain src/lorasmith/studio/static)" || { echo "The built page is not that of its source: commit what \`make studio\` has built."; git status --short src/lorasmith/studio/static; exit 1; }

studio-ui/node_modules/installed: studio-ui/package-lock.json
	cd studio-ui && npm ci --no-audit --no-fund
	@touch $@

MINUTES ?= 10

torture: $(VENV)/installed  ## kill trainings for MINUTES (10) and jobs a hundred times, go on, compare every byte
	LORASMITH_TORTURE_MINUTES=$(MINUTES) $(BIN)/python -m pytest -s -m slow tests/training/test_kill.py tests/jobs/test_torture.py

cluster: $(VENV)/installed  ## run the tests over several nodes of Ray, on this machine; needs minutes
	$(ONE_THREAD) $(BIN)/python -m pytest -m slow tests/jobs/cluster

# An environment that is there already is kept, with what was put into it: see docs/gpu.md.
$(VENV)/installed: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Lorasmith needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	@echo "installing the packages of $(LOCK) into $(VENV); done once, takes some minutes"
	@$(PYTHON) -m venv $(VENV) || { echo "Python cannot make an environment; on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install -q -q -r $(LOCK)
	$(BIN)/python -m pip install -q -q --no-deps --no-build-isolation -e .
	@touch $@
