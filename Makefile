# make install   a locked .venv and the local broker's jars; nothing where both are as locked
# make demo      the main job, on a Kafka and a Postgres of this machine's own; installs first
# make test      everything that CI runs; installs first
# make bench     figures: a table with machine, versions, medians
# make soak      the long forms of the tests
# make docs      what is generated of docs/: asyncapi.json, models.md
# make forecasts docs/forecasts.md: backtests on ../shared/data/malaysia, some minutes
# make lock      the lock files anew, from pyproject.toml

BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

unexport PYTHONDONTWRITEBYTECODE  # as images for containers have it: each of hundreds of processes would compile anew

.PHONY: help install demo test types tests bench soak docs forecasts lock clean

MALAYSIA := ../shared/data/malaysia
TABLES := .local/malaysia
WEEKLY := --frequency W-SUN --horizon 4 --every 4 --season 52 --country MY
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

install:
	@.ci/install

demo: install
	@$(BIN)/smartblood demo

test:
	@.ci/install --packages-alone
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory -j2 types tests

types:
	@# while jars are waited for, and the tests' first brokers start
	$(BIN)/mypy

tests: install
	@# what OpenBLAS is asked for here is small: its threads would wait for each other, awake
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -m "not soak" -n 3 --dist loadfile --no-loadscope-reorder

bench: install
	$(BIN)/pytest -s -q -o python_files='bench_*.py' tests/bench

soak: install
	$(BIN)/pytest -m soak

docs: install
	$(BIN)/python -c 'import json, smartblood, schemas.asyncapi as made; \
	    print(json.dumps(made.document(smartblood.__version__), indent=2, ensure_ascii=False))' >docs/asyncapi.json
	$(BIN)/smartblood models report --out docs/models.md

forecasts: install
	$(BIN)/python -m tests.bench.malaysia $(MALAYSIA) $(TABLES)
	$(BIN)/smartblood backtest $(TABLES)/national.csv $(WEEKLY) --origins 26 --section $(TABLES)/national.md \
	    --title "Donations in Malaysia by ABO group, weekly"
	$(BIN)/smartblood backtest $(TABLES)/states.csv $(WEEKLY) --origins 13 --section $(TABLES)/states.md \
	    --title "New donors by state of Malaysia, weekly"
	cat docs/forecasts.head.md $(TABLES)/national.md $(TABLES)/states.md >docs/forecasts.md

lock:
	$(COMPILE) --extra local --extra dev --output-file requirements.lock pyproject.toml
	$(COMPILE) --output-file deploy/requirements.lock pyproject.toml

clean:
	rm -rf .venv .local build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
