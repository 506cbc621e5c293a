PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check gate bench bench-stream programs clean

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
	rm -rf .venv tests/.envs out dist .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
