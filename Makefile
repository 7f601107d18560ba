# make demo    see it work: a night read, luck caught, a gain confirmed; then pretrain won back
# make test    what CI runs: the checks, then all tests (with coverage where CI is set)
# make check   the checks alone: format, lint, types, generated pages
# make quick   the tests that start no process, under a minute
# make check-leaves    and this: lab check proves every leaf by real runs
# make check-gpu    what pretrain will do on an H100, found out without one: 3 GB to install, a minute
# make bench-yield    what the rule of judging gains in simulated nights, five minutes
# make agents  install claude, codex and gemini into .venv (npm, 1 GB) and play a night with each
# make docs    write the generated pages again
# make browser install the browser that the report's tests open (Debian, as root)
#
# Every step leaves a stamp in .venv, so a second call goes straight to the point.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/stamps
GPU_VENV := .venv-gpu
AGENTS := $(VENV)/agents
PIP    := $(BIN)/python -m pip --disable-pip-version-check
WANT   := $(STAMPS)/constraints.txt

# What a leaf may ask for beyond the extras; the heavy trainers are left to who needs them.
PRETRAIN := numpy tokenizers
TOOLS    := tuner,plot

# Three at a time even on two cores, since many tests wait for a child of theirs; a file's tests
# stay together, since they share what is slow to make.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile
# Coverage makes them a quarter slower, and is read where CI prints it.
COV    := $(if $(CI),--cov)
PAGES  := $(wildcard docs/*.md)

# The tests start lab some thousands of times; without bytecode each would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench-yield help demo test quick check check-gpu check-leaves docs browser agents

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(STAMPS)/venv:
	@echo "== an environment in $(VENV)"
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# A build for CUDA is gigabytes, so it is not fetched for a machine without a GPU.
$(STAMPS)/torch: $(STAMPS)/venv
	@echo "== torch, unless $(VENV) has one"
	@PIP="$(PIP)" sh .ci/torch $(BIN)/python
	@touch $@

# The torch that is there stays, whichever build or version it is.
$(WANT): constraints.txt $(STAMPS)/torch
	@grep -v '^torch==' constraints.txt > $@

$(STAMPS)/tuner: pyproject.toml constraints.txt $(STAMPS)/venv
	@echo "== lab and its tuner"
	$(PIP) install -c constraints.txt -e '.[tuner]'
	@touch $@

$(STAMPS)/demo: pyproject.toml $(WANT)
	@echo "== lab and what the demo needs"
	$(PIP) install -c $(WANT) -e '.[$(TOOLS)]' $(PRETRAIN)
	@touch $@

$(STAMPS)/dev: pyproject.toml $(WANT)
	@echo "== lab, its tools and what the tests need"
	$(PIP) install -c $(WANT) -e '.[dev,all]'
	@touch $@

# torch, which is large, is installed while the first parts run.
demo: $(STAMPS)/tuner
	@PATH="$(CURDIR)/$(BIN):$$PATH" MAKE="$(MAKE)" sh .ci/demo "$(CURDIR)/labtree-demo"

check: $(STAMPS)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" cog --check -I docs $(PAGES) || { echo "Write them again: make docs"; exit 1; }
	$(BIN)/python docs/plugin.py --check

check-leaves: $(STAMPS)/dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" lab check

check-gpu:
	@PYTHON="$(PYTHON)" sh .ci/check-gpu $(GPU_VENV)

test: check
	$(PYTEST) $(COV)

# In one process: starting others would cost more than they save.
quick: $(STAMPS)/dev
	$(BIN)/python -m pytest --quick -p no:xdist

bench-yield: $(STAMPS)/dev
	$(BIN)/python benchmarks/yield

docs: $(STAMPS)/dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" cog -r -I docs $(PAGES)
	$(BIN)/python docs/plugin.py

# The real programs, against a stand-in of their vendors' models: no key, nothing leaves the machine.
$(AGENTS)/node_modules: tests/agents/package.json
	@command -v npm >/dev/null || { echo "The agents come by npm. Install it: https://nodejs.org"; exit 1; }
	@mkdir -p $(AGENTS) && cp tests/agents/package.json $(AGENTS)
	npm install --prefix $(AGENTS) --no-fund --no-audit --no-package-lock
	@touch $@

agents: $(STAMPS)/dev $(AGENTS)/node_modules
	$(BIN)/python -m pytest -v tests/test_agents.py

# The report's tests open it in a real browser; without one they are skipped, and say so.
browser:
	apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver
