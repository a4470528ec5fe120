# `make demo` and `make test` need Python 3.11 or later, git and make; they build .venv themselves.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest

# One thread per process in the numeric libraries: two workers on two cores do not fight.
export OMP_NUM_THREADS := 1
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help venv demo test test-long bench bench-http notebooks docs truncation lint types format model example \
        lock wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

venv: $(STAMP) ## .venv with the pinned, hash-checked dependencies and the package, editable

# The lock holds uv itself too: pip installs that one entry by its hash, uv the rest, much faster.
# Without uv (no wheel for this machine, say) pip installs everything from the same lock.
$(STAMP): requirements.lock pyproject.toml setup.py
	@python=; for candidate in python3.11 python3.12 python3.13 python3 python; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then python=$$candidate; break; fi; \
	done; \
	[ -n "$$python" ] || { echo "Python must be 3.11 or later, none found. Install it." >&2; exit 1; }; \
	[ -x $(BIN)/python ] || $$python -m venv $(VENV)
	@awk '/^[a-z]/ {take = /^uv==/} take' requirements.lock > $(VENV)/uv.lock
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	     -r $(VENV)/uv.lock \
	   && $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; } \
	 || { echo "uv did not work here: pip installs the same lock, more slowly." >&2; \
	      $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	        -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	   --no-build-isolation --editable .
	@touch $@

demo: venv ## the whole way on simulated accounts; prints the result and a report to open
	$(BIN)/household-ml demo

test: lint types ## lint, types and the tests (about 5 minutes on two cores)
	@$(PYTEST) -q -n 2 -m "not slow"

test-long: venv ## all tests: slow ones, an installation from the wheel, half an hour of requests
	@$(PYTEST) -q -n 2 --durations=20 -m "not soak"
	@$(PYTEST) -q -m soak

lint: venv
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

types: venv
	@$(BIN)/mypy --no-error-summary

format: venv ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv ## speed of features and scoring, beside the floor of reading the file
	$(BIN)/python tests/benchmarks/batch.py --out benchmarks/results.json --readme README.md
	$(BIN)/python tests/benchmarks/one_account.py --out benchmarks/one_account.json

bench-http: venv ## speed of the HTTP service, beside MLflow and empty endpoints (wants wrk)
	$(BIN)/python tests/benchmarks/service.py --out benchmarks/results_http.json --readme README.md

notebooks: venv ## run the notebooks, and build them with their outputs
	$(BIN)/python tests/notebooks/build.py

truncation: venv ## what cutting addresses costs, into the README (about 2 minutes)
	$(BIN)/python tests/benchmarks/truncation.py --readme README.md

docs: venv ## the page of commands, and the reference from docstrings into build/docs
	$(BIN)/python -m tests.docs.build

example: venv ## simulate data/example again, from its seed
	$(BIN)/household-ml simulate --out data/example --accounts 30 --days 60 --seed 7

model: venv ## train models/default again, from its seeds (over an hour on two cores)
	$(BIN)/household-ml train-default --out models/default --leave-one-out --stability --ablation

lock: venv ## resolve requirements.lock anew, and the part of it that the service needs
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade \
	  --output-file requirements.lock --quiet
	echo 'setuptools>=80' | $(BIN)/uv pip compile pyproject.toml - --extra serve --extra mlflow \
	  --universal --python-version 3.11 --constraint requirements.lock --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --output-file deploy/requirements.lock --quiet

wheel: venv ## build dist/*.whl
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what was built, .venv too
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
