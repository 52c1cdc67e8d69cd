# Everything happens in a virtual environment beside this file; nothing outside is touched.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# No interpreter from elsewhere, no questions, no chatter.
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

BENCH := PYTHONPATH=.:bench $(BIN)/python

.PHONY: run test chromium bench chaos points scenarios hostile fuzz contract bugs models check lint format lock clean
.DELETE_ON_ERROR:

# Many tests wait for real processes, and four at a time on a busy machine can spoil one that is sound.
# Up to three that failed are run once more, alone; what fails twice has failed.
FEW_FAILED := $(BIN)/python -c 'import json; exit(len(json.load(open(".pytest_cache/v/cache/lastfailed"))) > 3)'
ONCE_MORE := $(BIN)/pytest --last-failed --last-failed-no-failures none

run: $(INSTALLED)  ## the whole service with its servers, a first job included, until Ctrl-C
	@$(BIN)/darkroom up

test: $(INSTALLED) chromium  ## every test, on real servers; make test ARGS='-k webhook'
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --cache-clear $(ARGS) || { [ $$? = 1 ] && $(FEW_FAILED) && $(ONCE_MORE); }

# The journeys of people need a browser: a missing one fails them, it does not skip them.
chromium:
	@command -v chromium >/dev/null || { \
	  mend='apt-get install -y --no-install-recommends chromium'; \
	  if [ "$$(id -u)" = 0 ]; then $$mend >/dev/null || { apt-get update && $$mend >/dev/null; }; \
	  else echo "The tests of the pages need Chromium. Run: sudo $$mend" >&2; exit 1; fi; }

chaos: $(INSTALLED)  ## breaks everything at once for two minutes; make chaos ARGS='--seed 7 --jobs 200 --seconds 30'
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

points: $(INSTALLED)  ## kill, stop and cuts at every fault point, some minutes; make points ARGS='--only store --action stop'
	PYTHONPATH=tests $(BIN)/python -m chaos.points $(ARGS)

scenarios: $(INSTALLED)  ## one kind of outage at a time, with figures; make scenarios ARGS='s3-down --jobs 50' or ARGS=all
	PYTHONPATH=tests $(BIN)/python -m chaos.scenarios $(ARGS)

hostile: $(INSTALLED)  ## many more random addresses, URLs and forged calls than in every run, some minutes
	$(BIN)/pytest -n 2 --rounds 10 tests/clients/outbound/test_addresses.py tests/clients/outbound/test_guard.py
	$(BIN)/pytest -n 2 --timeout 3600 --rounds 50 tests/signing/test_verification.py
	$(BIN)/pytest -n 2 --timeout 3600 --rounds 1000 tests/web/test_webhooks_forged.py

fuzz: $(INSTALLED)  ## 20,000 hostile connections, 100,000 mutated requests, 10,000 repeats whose answers are cut; some minutes
	$(BIN)/pytest -s --rounds 40 tests/web/fuzz/test_raw_fuzz.py
	$(BIN)/pytest -s --rounds 100 tests/web/fuzz/test_api_fuzz.py
	$(BIN)/pytest -s --rounds 10 tests/journeys/test_repeats.py

contract: $(INSTALLED)  ## what openapi.json allows and forbids, over 100,000 requests; about an hour
	$(BIN)/pytest -s --timeout 7200 --rounds 275 tests/web/test_contract.py

bugs: $(INSTALLED)  ## thirteen bugs, put in one at a time: the harness has to find each; make bugs ARGS=sweep
	PYTHONPATH=tests $(BIN)/python -m chaos.bugs $(ARGS)

bench: $(INSTALLED)  ## ours beside what people would write or pick, half an hour; make bench ARGS='--rounds 1'
	$(BENCH) bench/throughput.py $(ARGS)

models: $(INSTALLED)  ## 10,000 generated jobs over every model, against the simulator; some minutes
	GENERATED_JOBS=10000 $(BIN)/pytest --timeout 3600 tests/generated $(ARGS)

check: lint test  ## what has to pass before a merge

lint: $(INSTALLED)
	@if [ -x $(BIN)/uv ]; then echo uv lock --check; $(BIN)/uv lock --quiet --check -p $(BIN)/python; fi
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# The exports let pip alone install exactly what uv.lock says.
EXPORT := $(BIN)/uv export --quiet --frozen --no-emit-project --no-dev --format requirements-txt
lock: $(INSTALLED)  ## after a change of dependencies in pyproject.toml
	$(BIN)/uv lock -p $(BIN)/python
	$(EXPORT) -o requirements.lock
	$(EXPORT) --extra embedded --group test --group bench -o requirements-dev.lock
	echo uv | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate -p $(BIN)/python -o requirements-uv.lock -

clean:  ## keeps .darkroom, which holds data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv installs in seconds what takes pip a minute; where there is no uv for the machine, pip does it,
# without a look at the dependencies: the lock names them all, and knows which demand we override.
$(INSTALLED): requirements-dev.lock requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  mend="apt-get install -y --no-install-recommends $$package"; \
	  if [ "$$(id -u)" = 0 ]; then $$mend || { apt-get update && $$mend; }; \
	  else echo "This Python cannot make virtual environments. Run: sudo $$mend" >&2; exit 1; fi; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing into $(VENV)'
	@{ $(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock \
	    && $(BIN)/uv pip sync --quiet --require-hashes -p $(BIN)/python requirements-dev.lock \
	    && $(BIN)/uv pip install --quiet -p $(BIN)/python --no-deps --no-build-isolation -e .; } \
	  || { echo 'Without uv: this takes a minute'; \
	    $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.lock \
	    && $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; }
	@touch $@
