#!/usr/bin/env bash
# `snakemake --sdm conda` runs this in the environment that it made of hypnoflow.yaml, to put this checkout into it:
# without it, jobs would fall back on the `hypnoflow`, and the libraries, of the environment that runs Snakemake.
set -euo pipefail
if ! grep -qs '^name = "hypnoflow"$' pyproject.toml; then
    echo "error: $PWD is not the root of hypnoflow's repository; start \`snakemake --sdm conda\` there" >&2
    exit 1
fi
python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
