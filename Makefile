# make demo | test | lint | install | bench | chaos | fuzz | lock | clean
# Needs Python 3.11 or newer with venv, and nothing else. Everything it makes lies in .venv and .cache, here.
# PYTHON=python3.12 chooses the interpreter; otherwise the newest one found is taken.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

# With it, each process would compile every library anew: three seconds every time.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONHOME
unexport PYTHONPATH
unexport VIRTUAL_ENV
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export UV_SYSTEM_CERTS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_CACHE_DIR := 1

PY := .venv/bin/python
# pip asks every rustc that it finds for its version, and rustup then writes into the home folder.
UNSEEN := PATH=/usr/bin:/bin
PIP := $(UNSEEN) $(PY) -m pip
ARGS ?=

# An environment whose interpreter has gone away is no environment.
$(shell test ! -e .venv || $(PY) -c '' 2>/dev/null || rm -rf .venv)

.PHONY: help demo test lint install bench chaos fuzz lock clean

help:
	@echo 'make demo               the whole story in a browser, with stand-ins for Slack and Gmail'
	@echo 'make demo ARGS=--once   the same in the terminal, checked, without a browser'
	@echo 'make test               the tests, on SQLite and PostgreSQL (ARGS="-k word" chooses)'
	@echo 'make lint               style, types, import rules'
	@echo 'make install            .venv/bin/cadence, to run it for real'
	@echo 'make bench              measurements (ONLY=area CORPUS=folder CSV=file SIZE=n JSON=file)'
	@echo 'make chaos              hard knocks for two bots and three workers, for SECONDS=600 (SEED=n repeats a run)'
	@echo 'make fuzz               bytes that break a reader of mail, for SECONDS=60 (ONLY=target)'
	@echo 'make lock               new lock files'
	@echo 'make clean              removes all that these commands made'

demo: .venv/.demo
	@$(PY) -m tests.sandbox.demo $(ARGS)

test: .venv/.dev
	@$(PY) -m pytest -n auto --dist loadscope --no-loadscope-reorder $(ARGS)

lint: .venv/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo --cache-dir .cache/imports
	$(PY) -m deptry --no-ansi .

install: .venv/.cadence
	@echo 'Cadence is installed: .venv/bin/cadence'

bench: .venv/.dev
	@$(PY) -m tests.benchmarks $(if $(ONLY),--only '$(ONLY)') $(if $(CORPUS),--corpus '$(CORPUS)') \
		$(if $(CSV),--csv '$(CSV)') $(if $(SIZE),--size '$(SIZE)') \
		$(if $(JSON),--json '$(JSON)') $(ARGS)

# Prints what was survived and what was found, and the command that repeats it.
chaos: .venv/.dev
	@$(PY) -m tests.chaos --seconds '$(or $(SECONDS),600)' $(if $(SEED),--seed '$(SEED)') $(ARGS)

# With atheris where the interpreter has it, by chance otherwise.
fuzz: .venv/.dev
	@$(PY) -m tests.fuzz --seconds '$(or $(SECONDS),60)' $(if $(ONLY),--only '$(ONLY)') $(ARGS)

# The larger lock files hold the versions of the smaller ones.
COMPILE := .venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11
lock: .venv/.uv
	$(COMPILE) --group pyproject.toml:installer -o requirements/uv.txt
	$(COMPILE) --extra imap --extra microsoft --extra postgres --group build -o requirements/run.txt pyproject.toml
	$(COMPILE) --extra imap --extra microsoft --extra postgres --group build --group demo -c requirements/run.txt -o requirements/demo.txt pyproject.toml
	$(COMPILE) --extra imap --extra microsoft --extra postgres --extra charts --group build --group demo --group dev -c requirements/demo.txt -o requirements/dev.txt pyproject.toml
	@rm -rf .cache/uv

clean:
	rm -rf .venv .cache .demo .hypothesis
	find bot jobs migrations models tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the commands stand on ---------------------------------------------------------------------------------

FIND_PYTHON = for candidate in $(if $(PYTHON),'$(PYTHON)',python3.14 python3.13 python3.12 python3.11 python3 python); do \
	"$$candidate" -c 'import sys, venv, ensurepip; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' \
	2>/dev/null && exit; done

.venv/.made:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Cadence needs Python 3.11 or newer with venv (on Debian: python3-venv). PYTHON=... says where it is." >&2; \
		exit 1; \
	fi; \
	echo "Preparing .venv with $$("$$python" --version)"; \
	rm -rf .venv && $(UNSEEN) "$$python" -m venv .venv && touch $@

# uv is an accelerator: when it cannot be had, or fails, pip installs from the same file.
.venv/.uv: requirements/uv.txt .venv/.made
	@$(PIP) install -q --require-hashes -r requirements/uv.txt || echo 'uv is not to be had here; pip does its work' >&2
	@touch $@

INSTALL = install() { \
		$(PY) -m uv pip install -q --python $(PY) "$$@" && rm -rf .cache/uv && return; \
		rm -rf .cache/uv; echo 'uv failed; trying pip' >&2; $(PIP) install -q "$$@"; \
	}; install

.venv/.run: requirements/run.txt .venv/.uv
	@echo 'Installing what Cadence needs'
	@$(INSTALL) --require-hashes -r $<
	@touch $@

.venv/.demo: requirements/demo.txt .venv/.uv
	@echo 'Installing what Cadence and its sandbox need'
	@$(INSTALL) --require-hashes -r $<
	@touch .venv/.run $@

# Holds all that the other two hold, so they need nothing afterwards.
.venv/.dev: requirements/dev.txt .venv/.uv
	@echo 'Installing what Cadence and its tests need'
	@$(INSTALL) --require-hashes -r $<
	@touch .venv/.run .venv/.demo $@

.venv/.cadence: pyproject.toml .venv/.run
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@
