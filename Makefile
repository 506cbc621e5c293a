PYTHON ?= python3
BIN := .venv/bin

# Each Python from 3.10 to 3.13 that is at hand, on the path or of pyenv.
PYTHONS ?= $(strip $(foreach v,10 11 12 13,$(firstword $(wildcard \
  $(HOME)/.pyenv/versions/3.$(v).*/bin/python) $(shell command -v python3.$(v)))))
FUZZ ?= 60
PROMISES ?= 400
SOAK ?= 200

.PHONY: demo test test-lowest test-pythons fuzz soak promises check gate bench bench-stream programs clean

demo: .venv/ready  ## clean the sample dumps in seeds/ and show what happened
	@mkdir -p out
	$(BIN)/dedup clean seeds/outlets.jsonl seeds/wadi-dump.txt -o out/demo.jsonl --report out/demo.html
	@echo; echo "the first removals (out/demo.removed.jsonl):"
	@head -n 5 out/demo.removed.jsonl | cut -c 1-240

programs:  ## what tests drive: a Chromium (CHROMIUM, one that is there, Debian's) and redis-server
	@missing=$$( \
	  test -n "$(CHROMIUM)" || command -v chromium || command -v chromium-browser || \
	    command -v google-chrome || echo "+chromium +fonts-noto-core"; \
	  command -v redis-server || echo "+redis-server"); \
	missing=$$(echo "$$missing" | grep -o '+[a-z-]*' | tr -d +); \
	test -z "$$missing" || { \
	  echo "installing Debian's" $$missing; \
	  SUDO=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$SUDO apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$SUDO apt-get install -y -qq \
	    --no-install-recommends $$missing >/dev/null; }

test: .venv/ready programs  ## all tests, then the kernels once more without compilation
	$(BIN)/python -m pytest --numprocesses auto
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -m kernels

test-lowest: programs  ## all tests on the oldest Python at hand with the oldest of all packages
	$(firstword $(PYTHONS) $(PYTHON)) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --upgrade pip uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest --resolution lowest-direct \
	  --editable '.[dev]'
	.venv-lowest/bin/python -m pytest --numprocesses auto

test-pythons: programs  ## all tests on every Python at hand with the newest packages
	@test -n "$(PYTHONS)" || { echo "no Python 3.10 to 3.13 at hand; name them: PYTHONS=..."; exit 1; }
	for python in $(PYTHONS); do \
	  home=.venv-$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') && \
	  $$python -m venv $$home && $$home/bin/python -m pip install --quiet --upgrade pip && \
	  $$home/bin/python -m pip install --quiet --editable '.[dev]' && \
	  $$home/bin/python --version && $$home/bin/python -m pytest --numprocesses auto || exit 1; \
	done

fuzz: .venv/ready  ## look for inputs that break something, FUZZ seconds a target (60)
	FUZZ_EXAMPLES=$$((2 * $(FUZZ))) $(BIN)/python -m pytest tests/test_fuzz.py --numprocesses auto
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --editable . 'atheris>=3'
	for target in kernels dump readers; do \
	  .venv-fuzz/bin/python tests/fuzz.py $$target $(FUZZ) || exit 1; \
	done

promises: .venv/ready programs  ## many trials of every promise (PROMISES slices), told in docs/promises.md
	rm -f out/trials.jsonl; mkdir -p out
	TRIALS=out/trials.jsonl $(BIN)/python tests/soak.py $(PROMISES)
	TRIALS=out/trials.jsonl SOAK=1 $(BIN)/python -m pytest tests/test_adjacent.py tests/test_tamper.py \
	  tests/test_faults.py tests/test_power.py --numprocesses auto
	TRIALS=out/trials.jsonl $(BIN)/python -m pytest tests/test_index_damage.py \
	  tests/test_index_again.py tests/test_shared.py --numprocesses auto
	$(BIN)/python docs/promises.py out/trials.jsonl

soak: .venv/ready  ## slices of real collections (SOAK: how many, or seconds as 600s), every fault
	$(BIN)/python tests/soak.py $(SOAK)
	SOAK=$(SOAK) $(BIN)/python -m pytest tests/test_adjacent.py tests/test_tamper.py \
	  tests/test_faults.py tests/test_power.py --numprocesses auto

check: .venv/ready  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gate: .venv/ready  ## quality on the seeds against its floors, speed against the copy floor's
	$(BIN)/python benchmarks/quality/gate.py
	$(BIN)/python benchmarks/speed/guard.py

bench: .venv/ready  ## speed beside the copy floor and other libraries; takes minutes
	$(BIN)/python benchmarks/speed/run.py

bench-stream: .venv/ready  ## records as they come, beside other libraries' indexes; takes minutes
	$(BIN)/python benchmarks/stream/run.py

clean:  ## remove the environment and everything built
	rm -rf .venv .venv-* tests/.envs out dist .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
