# Everything a day needs, in one word each. Wants GNU make 3.81 or newer and Python 3.11 to 3.13; the rest it fetches.

PY := .venv/bin/python
PORT_BASE ?= 8000
LOCALES := src/portico/locales
PO := $(wildcard $(LOCALES)/*/LC_MESSAGES/portico.po)
HOUSE := tests/house

# gettext reads compiled files; those are not kept in git.
TRANSLATIONS = for po in $(PO); do [ $${po%.po}.mo -nt $$po ] || \
	$(PY) -m babel.messages.frontend -q compile -i $$po -o $${po%.po}.mo || exit 1; done

.NOTPARALLEL:
.PHONY: help demo test proof check fix messages locks

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: .venv/.demo ## everything in one foreground process; PORT_BASE=8000 moves the ports, RESET=1 starts over
	@$(TRANSLATIONS)
	@exec $(PY) -m portico demo --port-base $(PORT_BASE) --with-parent $(if $(filter-out 0,$(RESET)),--reset)

test: .venv/.dev ## all tests; browser journeys too where a Chromium is found
	@$(TRANSLATIONS)
	@failed=0; \
	$(PY) -m pytest --ignore=tests/journeys --numprocesses 2 --dist loadfile || failed=1; \
	if [ -d tests/journeys ]; then $(PY) -m pytest tests/journeys || failed=1; fi; \
	exit $$failed

proof: .venv/.dev ## the long proofs: whole kill grids, frozen workers
	@$(TRANSLATIONS)
	@$(PY) -m pytest -m proof --ignore=tests/journeys

check: .venv/.dev ## style, types, who may import whom, generated files
	@$(TRANSLATIONS)
	@failed=0; \
	$(PY) -m ruff check src tests .ci || failed=1; \
	$(PY) -m ruff format --check src tests .ci || failed=1; \
	$(PY) -m mypy || failed=1; \
	$(PY) .venv/bin/lint-imports --no-cache || failed=1; \
	$(PY) -m pytest $(HOUSE) || failed=1; \
	exit $$failed

fix: .venv/.dev ## what machines can mend: format, imports, generated pages
	@$(PY) -m ruff check --fix src tests .ci
	@$(PY) -m ruff format src tests .ci
	@$(PY) -m portico settings-doc > docs/settings.md
	@$(PY) -m portico freshness-doc > docs/freshness.md

messages: .venv/.dev ## collects the sentences of code and pages into the translation files
	@mkdir -p var
	@$(PY) -m babel.messages.frontend -q extract -F $(LOCALES)/babel.cfg -k _m --no-location --sort-output \
	  --project=portico --version="" -o var/portico.pot src/portico
	@for po in $(PO); do \
	  $(PY) -m babel.messages.frontend -q update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
	    -i var/portico.pot -o $$po -l $$(basename $$(dirname $$(dirname $$po))); done
	@echo "Now fill in what is empty: grep -n -A1 '^msgid' $(PO)"

locks: .venv/.dev ## pins anew after a change of pyproject.toml (UPGRADE=1: newest of everything)
	@$(PY) -m uv pip compile -q --universal --generate-hashes --all-extras --no-header $(if $(UPGRADE),--upgrade) \
	  pyproject.toml -o requirements-dev.lock
	@$(PY) -m uv pip compile -q --universal --generate-hashes --extra demo --no-header -c requirements-dev.lock \
	  pyproject.toml -o requirements.lock

# Stamps: once installed, set-up costs nothing until a lock changes.
.venv/.demo: requirements.lock .ci/set_up.py
	@$(FIND_PYTHON); exec $$python .ci/set_up.py demo

.venv/.dev: requirements-dev.lock .ci/set_up.py
	@$(FIND_PYTHON); exec $$python .ci/set_up.py dev

# PYTHON=… if given, else the first that is new enough. None fits: python3, which then says what is wanted.
PYTHON ?=
FIND_PYTHON = python="$(PYTHON)"; \
	for one in python3 python3.13 python3.12 python3.11; do \
	  [ -n "$$python" ] && break; \
	  $$one -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && python=$$one; \
	done; \
	python=$${python:-python3}
