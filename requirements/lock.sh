#!/usr/bin/env bash
# Write requirements/locked.txt anew: the newest versions that setup.cfg allows, for every Python and
# system that it allows, as constraints that pip and uv read.
set -euo pipefail
cd "$(dirname "$0")/.."
"${1:-python3}" -m venv .venv-lock
.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/uv.txt
.venv-lock/bin/uv pip compile setup.cfg --all-extras --universal --python-version 3.10 --upgrade \
    --quiet --custom-compile-command "make lock" --output-file requirements/locked.txt
rm -rf .venv-lock
git --no-pager diff --stat -- requirements/locked.txt 2>/dev/null || true
