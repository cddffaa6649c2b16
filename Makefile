# make demo   the whole pipeline on simulated cohorts, ending in results/report/report.html
# make test   every check and test; make check, the checks alone; make bench, the measurements
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
CORES  ?= 2

.PHONY: demo test unit check bench install clean
.DEFAULT_GOAL := demo

demo: $(READY)
	$(BIN)/snakemake --cores $(CORES)
	@echo "report: results/report/report.html"

test: check
	$(BIN)/pytest -q -n 2 --dist worksteal tests/unit tests/contract
	$(BIN)/pytest -q -n 2 --dist loadfile tests/workflow

unit: $(READY)
	$(BIN)/pytest -q -n 2 --dist worksteal tests/unit

check: $(READY)
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check -l 120 Snakefile workflow/rules
	$(BIN)/snakemake --lint
	$(BIN)/hypnoflow config --check
	$(BIN)/python tests/checks.py

bench: $(READY)
	$(BIN)/pytest -q -s tests/bench

install: $(READY)

# The lock pins what is named there; `--no-deps` of the package itself keeps it that way.
$(READY): envs/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("hypnoflow needs Python 3.11 or newer; name one with PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Only what is ours: never through a link, and in the folder that the config names.
clean:
	if [ -x $(BIN)/hypnoflow ]; then $(BIN)/hypnoflow clean; fi
	rm -rf $(VENV) .snakemake
