# The one entry file. `make demo` and `make test` set up everything they need; nothing else is run by hand.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000

.PHONY: demo test check lint bench causes held chaos fuzz schema prism screens format lock clean help

help: ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/.run ## The example company in the console at http://127.0.0.1:$(PORT)
	$(BIN)/trueup demo --port $(PORT)

test: lint ## Everything that CI runs
	$(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder

check: lint ## Style, types, import rules, the cases inside the rules
	$(BIN)/trueup rules test

lint: .venv/.dev ## Style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.dev ## Every measurement beside its reference, as JSON in benchmarks/results/
	$(BIN)/python -m benchmarks

causes: .venv/.dev ## Hold the root cause of every planted fault against the catalogue; a few minutes
	$(BIN)/pytest -m causes -s tests/remediation

held: .venv/.dev ## Hold every wrong draft of the example company, repair and release it at the peer; a few minutes
	$(BIN)/pytest -m held -s tests/remediation

chaos: .venv/.dev ## Kill import, sync, run, schedule and actions at random moments; a few minutes
	$(BIN)/pytest -m chaos tests/chaos

fuzz: .venv/.dev ## Try 5,000 hostile rule files; a few minutes
	$(BIN)/pytest -m fuzz tests/detector/test_fuzz_rules.py

schema: .venv/.dev ## Ask the API 20,000 odd requests as each role; some minutes
	$(BIN)/pytest -m schema tests/web/api/test_schema.py

prism: .venv/.dev ## Read from Prism on the published descriptions of Lago and OpenMeter; needs Node
	$(BIN)/pytest -m prism -s tests/peers

screens: .venv/.dev ## Take the screenshots of docs/screens again
	$(BIN)/pytest -m screens tests/e2e

format: .venv/.dev ## Format and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Pin every dependency again (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
		--group build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
		--group build --group dev --constraints requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## Remove the environment and everything made
	rm -rf .venv .trueup build *.egg-info

# The same pins by uv where it is installed, by pip elsewhere.
define install
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if command -v uv >/dev/null; then \
		uv pip install -q --python $(BIN)/python --require-hashes -r $(1) && \
		uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(1) && \
		$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
endef

.venv/.run: requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch $@ .venv/.run
