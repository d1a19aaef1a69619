# Every target does its own set-up. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
BENCH := $(VENV)-bench
# BLAS as it comes, for all libraries alike.
FAIR := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE
STAMP := $(VENV)/.installed
SMALL := $(VENV)/.installed-demo

.PHONY: demo test test-all test-newest check format web bench clean

demo: $(SMALL)  ## load the sample, compare the models, write everyone's list
	$(VENV)/bin/shortlist demo

test: $(STAMP)  ## everything but the slow checks
	$(RUN) pytest -n 2 --dist loadfile -m "not slow"

test-all: $(STAMP)  ## the slow checks too, a Ray cluster, the documentation as a site, property tests on new examples, kernels with bounds checks
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[ray,docs]'
	HYPOTHESIS_PROFILE=new $(RUN) pytest -n 2 --dist loadfile
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(VENV)/numba-bounds $(RUN) pytest tests/kernels

test-newest:  ## the tests with the newest release of every dependency, in an environment of its own
	$(PYTHON) -m venv $(VENV)-newest
	$(VENV)-newest/bin/pip install --quiet --upgrade pip
	$(VENV)-newest/bin/pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'
	$(VENV)-newest/bin/python -m pytest -n 2 --dist loadfile -m "not slow"

check: $(STAMP)  ## lint, format, layers, types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(VENV)/bin/lint-imports --no-cache
	$(RUN) mypy

format: $(STAMP)
	$(RUN) ruff check --fix
	$(RUN) ruff format

web:  ## bundle the page from web/; needs Node 20, which nothing else here does
	npm --prefix web ci
	npm --prefix web run check
	npm --prefix web run build

bench: $(BENCH)/.installed  ## the figures in docs/benchmarks.md and docs/performance.md; three hours
	$(BENCH)/bin/python benchmarks/accuracy.py
	$(BENCH)/bin/python benchmarks/memory.py
	$(BENCH)/bin/python benchmarks/ingest.py
	$(BENCH)/bin/python benchmarks/ncf_protocol.py --ml-100k
	$(BENCH)/bin/python benchmarks/ncf_speed.py
	$(BENCH)/bin/python benchmarks/two_tower.py
	$(BENCH)/bin/python benchmarks/cascade.py
	$(BENCH)/bin/python benchmarks/index.py --items 100000
	$(FAIR) $(BENCH)/bin/python benchmarks/speed.py --memory
	$(FAIR) $(BENCH)/bin/python benchmarks/growth.py --picture docs/growth.svg
	$(FAIR) $(BENCH)/bin/python benchmarks/evaluation_speed.py \
		--lenskit $(BENCH)-lenskit/bin/python --rectools $(BENCH)-rectools/bin/python

$(SMALL): pyproject.toml constraints.txt | $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[report,serve]'
	touch $(SMALL)

$(STAMP): pyproject.toml constraints.txt | $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP) $(SMALL)

# Peers whose dependencies conflict with ours have environments of their own (peers_apart.txt). One
# that cannot be installed is reported, here and in the tables, and does not stop the others.
$(BENCH)/.installed: pyproject.toml constraints.txt benchmarks/peers.txt benchmarks/peers_apart.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	grep -v '^#' benchmarks/peers.txt | while read -r peer; do \
		$(BENCH)/bin/pip install --quiet --constraint constraints.txt "$$peer" || \
			echo "$$peer cannot be installed"; done
	while read -r peer; do own="$(BENCH)-$${peer%%==*}"; \
		{ $(PYTHON) -m venv "$$own" && "$$own/bin/pip" install --quiet "$$peer"; } || \
			echo "$$peer cannot be installed"; done < benchmarks/peers_apart.txt
	touch $@

$(VENV):
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade pip

clean:
	rm -rf $(VENV) $(VENV)-newest $(BENCH) $(BENCH)-* dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
