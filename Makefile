# Everything that Tamis needs, on a fresh Debian 12: `make run` to see it work, `make test` to test it.
# Packages of Debian are installed with root or sudo; all else is written below .venv and var.

# Debian's own Python, which PACKAGES fits and which is built to be fast; elsewhere whichever there is.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
CORPORA ?= var/corpora
MESSAGES ?= 500000
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= message configuration frames
SHELL := /bin/sh
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
BIN := .venv/bin
CLAMD := var/debian/clamav-daemon
# A compiler, headers and libmilter build pymilter, which has no wheel; none of these starts a daemon.
PACKAGES := gcc libc6-dev libmilter-dev python3-dev python3-venv

.DEFAULT_GOAL := help
.PHONY: help dev run test check format screenshots bench faults fuzz soak corpora clean packages

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

dev: .venv/.complete ## Make .venv with the command .venv/bin/tamis

.venv/.complete: setup.cfg pyproject.toml | packages
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

packages:
	@missing=; for one in $(PACKAGES); do \
	dpkg-query -Wf '$${Status}' $$one 2>/dev/null | grep -q ' installed$$' || missing="$$missing $$one"; done; \
	[ -z "$$missing" ] || { echo "installing$$missing"; export DEBIAN_FRONTEND=noninteractive; \
	$(SUDO) apt-get update -qq && \
	$(SUDO) apt-get install -qq -y --no-install-recommends $$missing >/dev/null; }

run: dev ## Try Tamis: a scanner, the milter and a small SMTP server, with sample messages
	@tests/unpack clamav-daemon
	@exec $(BIN)/python -m tamis.sandbox.demo --var var --samples tests/samples \
		--clamd $(CLAMD)/usr/sbin/clamd --libraries $(CLAMD)/usr/lib

test: dev ## Run the tests, with real servers on loopback
	@tests/unpack chromium clamav-daemon libsasl2-modules nginx postfix postgresql-15 roundcube-core \
		roundcube-sqlite3 sendmail-bin strace systemd
	$(BIN)/python -m pytest

check: dev ## Formatting, lint, types, tests and documentation: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test

format: dev ## Format the code and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: dev ## Take a picture of every web page, in each language, on phone and desktop, light and dark
	@tests/unpack chromium clamav-daemon
	$(BIN)/python -m tests.screenshots

bench: dev ## Measure beside a null milter and rspamd on the same messages, and what each means costs
	@tests/unpack rspamd || echo 'going on without rspamd'
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.means

faults: dev ## Let all fail that can fail while mail flows, and count what is lost: nothing
	@tests/unpack clamav-daemon postfix
	$(BIN)/python -m tests.faults

fuzz: dev ## Look for what breaks, FUZZ_SECONDS=60 for each target; findings stay in var/fuzz
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m pytest --hypothesis-profile=many tests/test_fuzz.py tests/test_options_api_description.py
	$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

soak: dev ## Send MESSAGES=500000 of CORPORA=DIR and the hostile list, and see that Tamis stays as it is
	@tests/unpack clamav-daemon
	$(BIN)/python -m tests.soak $(CORPORA)/*.jsonl.xz --messages $(MESSAGES)

corpora: dev ## Send all messages of CORPORA=DIR through the milter, 32 at a time
	@tests/unpack clamav-daemon
	$(BIN)/python -m tests.soak $(CORPORA)/*.jsonl.xz

clean: ## Remove all that make has made
	rm -rf .venv var build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis milter/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
