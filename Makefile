# make demo   the whole pipeline on simulated cohorts, ending in results/report/report.html
# make test   every check and test; make check, the checks alone; make bench, the measurements
# make audit  known vulnerabilities of what is locked; make lock, the hashes of what envs/*.txt pin
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PIP    := -m pip --disable-pip-version-check --quiet install
AUDIT  := $(VENV)/audit
CORES  ?= 2

.PHONY: demo test unit check bench install audit lock clean
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

# Every file is compared with its hash in the lock. First come pip and setuptools, with which the rest is built, so
# that no build fetches a tool of its own; `--no-deps` of the package itself keeps it at that.
$(READY): envs/bootstrap.txt envs/torch-cpu.txt envs/requirements.txt envs/cuda.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("hypnoflow needs Python 3.11 or newer; name one with PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --require-hashes -r envs/bootstrap.txt
	@$(BIN)/python $(PIP) --require-hashes --no-deps -r envs/torch-cpu.txt 2> $(VENV)/torch-cpu.log \
		|| echo "no CPU build of torch that the lock knows ($(VENV)/torch-cpu.log); taking PyPI's"
	$(BIN)/python $(PIP) --require-hashes --no-build-isolation -r envs/requirements.txt
	$(BIN)/python $(PIP) --no-build-isolation --no-deps -e .
	touch $@

# An environment of its own: what pip-audit needs is no part of what it looks at.
audit: $(AUDIT)/.ready
	$(AUDIT)/bin/python envs/audit.py $(AUDIT)/bin/pip-audit envs/bootstrap.txt envs/requirements.txt envs/cuda.txt

$(AUDIT)/.ready: envs/bootstrap.txt envs/audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python $(PIP) --require-hashes -r envs/bootstrap.txt
	$(AUDIT)/bin/python $(PIP) --require-hashes --no-build-isolation -r envs/audit.txt
	touch $@

lock:
	$(PYTHON) envs/lock.py $(addprefix envs/,bootstrap.txt torch-cpu.txt requirements.txt cuda.txt audit.txt)

# Only what is ours: never through a link, and in the folder that the config names.
clean:
	if [ -x $(BIN)/hypnoflow ]; then $(BIN)/hypnoflow clean; fi
	rm -rf $(VENV) .snakemake
