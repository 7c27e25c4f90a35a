# Entry points for people and for CI. Each does its own set-up; `make help` lists them.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TYPED := build/typed
WHEEL := build/wheel
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format bench readme test-systems wheel-smoke clean

help: ## list what can be made
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

venv: $(READY) ## the environment in .venv, with the exact versions of constraints.txt

$(READY): pyproject.toml constraints.txt
	@echo "installing what constraints.txt names into $(VENV): 3 GB, some minutes; then compiling the scheduler's searches"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m hetero.schedule.warm
	@touch $@

demo: $(READY) ## set up, plan and run the demo pipeline, and write its report
	@mkdir -p build
	$(BIN)/hetero demo --report build/hetero-demo.html

test: $(READY) test-systems ## set up and run all tests
	$(BIN)/python -m pytest $(TESTS)

# A browser and a software GPU for the tests that need one. Where they cannot be had, those tests say so by name.
test-systems:
	@scripts/install_browser.sh >/dev/null || true
	@scripts/install_software_gpu.sh >/dev/null || true

check: $(READY) $(TYPED) ## lint, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	MYPYPATH=$(TYPED) $(BIN)/mypy --strict -p hetero

# hetero.backends and hetero.graphs lie beside hetero/ in the checkout; mypy wants to see one tree.
$(TYPED): FORCE
	@rm -rf $@ && mkdir -p $@/hetero
	@ln -s $(addprefix $(CURDIR)/,$(filter-out hetero/__pycache__,$(wildcard hetero/*))) $@/hetero/
	@ln -s $(CURDIR)/backends $(CURDIR)/graphs $@/hetero/

FORCE:

format: $(READY) ## let ruff rewrite the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## the figures that the documents quote, as CSV in build/figures
	$(BIN)/python benchmarks/run_all.py

readme: $(READY) ## run the demo with an empty profile store and put its output into the README
	$(BIN)/python scripts/update_readme.py

# The wheel as a stranger would install it: an editable install hides files that the wheel forgets.
wheel-smoke: $(READY) ## build the wheel, install it elsewhere, run the smoke test on it
	scripts/wheel_smoke.sh $(BIN)/python $(WHEEL)

clean: ## remove what was built here, but not .venv
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
