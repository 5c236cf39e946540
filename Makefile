# Everything runs in .venv; `make estimate` and `make test` need nothing but Python >= 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= models/resnet8.h5
ARCH ?= edgetpu

.PHONY: estimate test slow lint bench clean

estimate: $(VENV)/.installed
	$(BIN)/hwsim estimate $(MODEL) --arch $(ARCH)

test: $(VENV)/.testing
	$(BIN)/python -m pytest -n 2 -m "not slow" --ignore=tests/bench

slow: $(VENV)/.testing
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(VENV)/.testing
	$(BIN)/python -m pytest tests/bench -s

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .benchmarks

# A Debian or Ubuntu Python may come without venv; root installs it, anybody else is told what to install.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); \
	  else echo "python3 -m venv fails; install the package python3-venv"; exit 1; fi; }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.testing: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[testing]'
	@touch $@ $(VENV)/.installed

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@ $(VENV)/.testing $(VENV)/.installed
