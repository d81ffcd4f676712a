# Every target makes what it needs first: .venv here, and the runtime root (asterisk, redis-server, …)
# under $XDG_CACHE_HOME. The first run on a new machine takes some minutes, later ones nothing.
# ARGS=… goes on to the command.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
ARGS ?=
# Compiled once, not at each start of each process.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup root demo run check lint types unit test audit bench proof chaos chaos-kills compose-test clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## make .venv and .venv/bin/ivr
	@echo "setup: ready"

.venv/.ready: requirements.txt pyproject.toml scripts/setup
	@scripts/setup

root: setup ## make the runtime root
	@$(BIN)/python -m ivr.stack.root

demo: root ## real SIP calls through the whole line, told live
	@echo "demo: the whole line, from nothing"
	@$(BIN)/ivr demo $(ARGS)

run: root ## serve dialplan/pessac until Ctrl-C
	@echo "run: the switchboard, until Ctrl-C"
	@$(BIN)/ivr run $(ARGS)

check: setup ## lint, types, unit tests: what is quick
	@echo "check: lint, types, unit tests"
	@$(MAKE) -j 3 --output-sync=target lint types unit

lint: .venv/.ready ## ruff
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && echo "lint: ok"

types: .venv/.ready ## mypy
	@$(BIN)/mypy

unit: .venv/.ready ## the quick tests that need nothing but Python
	@$(BIN)/pytest -q -n 2 -m unit $(ARGS)

test: check root ## every layer of tests
	@echo "test: SQLite, PostgreSQL, Redis, Asterisk, the whole line"
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "not unit and not proof" $(ARGS)

audit: .venv/.ready ## the locked packages: still there, not withdrawn, not known to be vulnerable
	@scripts/audit

bench: root ## what a call costs, beside Asterisk's own queue; ARGS=--quick for the short form
	@echo "bench: some minutes"
	@$(BIN)/ivr bench $(ARGS)

proof: root ## the full figures; cut off, it goes on where it was
	@echo "proof: up to an hour"
	@$(BIN)/ivr proof

chaos: root ## one fault after another, under load; ARGS="--faults a,b" for some; cut off, it goes on
	@echo "chaos: about half an hour"
	@$(BIN)/ivr chaos $(ARGS)

chaos-kills: root ## random kills under load: N=200 SEED=7; cut off, it goes on
	@echo "chaos: $(or $(N),200) random kills"
	@$(BIN)/ivr chaos --kills $(or $(N),200) --seed $(or $(SEED),7) $(ARGS)

compose-test: setup ## build and start docker-compose.yml, put one call through
	@echo "compose-test: the same line, in Docker"
	@scripts/compose-test $(ARGS)

clean: setup ## remove what runs and tests left here; .venv and the runtime root stay
	@echo "clean: .run, caches, what dead stacks left"
	@$(BIN)/python -m ivr.stack.registry
	@rm -rf .run .mypy_cache .ruff_cache .pytest_cache .hypothesis build
	@find ivr tests -name __pycache__ -type d -prune -exec rm -rf {} +
