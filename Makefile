# Every target first sets up .venv by itself: a fresh machine needs make and Python 3.11 or newer, nothing else.

# The first of these that runs and is new enough makes the environment; `make PYTHON=/path/to/python` overrides.
PYTHON ?= python3.13 python3.12 python3.11 python3
# Each worker holds its own TensorFlow (0.7 GB), hence the limit. PYTEST_ARGS='-m "not slow"' for a quick run.
# In the order of the folders: the slow files come first, so that no worker is left with one of them at the end.
PYTEST_ARGS ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

BIN := .venv/bin
INSTALLED := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help test sweep lint conformance compatibility images demo docs venv clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST)

test: lint  ## style, types and tests: all that has to pass
	$(BIN)/python -m pytest $(PYTEST_ARGS)

sweep: $(INSTALLED)  ## the long tests, which make test leaves out: every kind of model, every moment of a crash
	$(BIN)/python -m pytest -m sweep $(PYTEST_ARGS)

lint: $(INSTALLED)  ## style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

conformance: $(INSTALLED)  ## run Keras' own tests with model.fit as it is and with autofix.fit, and compare
	$(BIN)/python tests/conformance/comparison.py

compatibility: $(INSTALLED)  ## measure every kind of input, argument and model, and write docs/compatibility.md
	$(BIN)/python -m tests.compatibility.document

images: $(INSTALLED)  ## make the pictures of docs/images anew, with a Chromium
	$(BIN)/python -m tests.report.images

demo: $(INSTALLED)  ## watch autofix repair failing programs
	$(BIN)/python -m autofix.benchmarks demo

docs: $(INSTALLED)  ## build the documentation into build/site; any warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

venv: $(INSTALLED)  ## set up .venv only

clean:  ## remove .venv, builds and caches
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that a setup that was cut short starts again.
$(INSTALLED): pyproject.toml
	@for python in $(PYTHON); do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Setting up .venv with $$python; the first time this downloads TensorFlow (about 1 GB)."; \
	        exec "$$python" -m venv .venv; \
	    fi; \
	done; \
	echo "No Python 3.11 or newer found. Tried: $(PYTHON). Install one, or name it: make PYTHON=/path/to/python" >&2; \
	exit 1
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
